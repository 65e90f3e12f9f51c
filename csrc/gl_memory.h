/* Memory for arrays. Each thread has a tray with a few small pieces at hand. A large piece that is given back is kept for whoever wants as much next: fresh pages
 * come from the system one by one, which takes longer than computing what is written to them. What is kept
 *
 * - is at most GL_KEPT_BYTES;
 * - makes a process hardly larger: with what is in use it stays below the most that was in use at once and an eighth
 *   of that. Without the eighth, a call that has small arrays before a large one gave the large one back each time;
 * - goes back to the system when nobody wanted it for GL_KEPT_MS (every so many calls somebody looks), when a program
 *   goes, or when there is no memory.
 */
#ifndef GL_MEMORY_H
#define GL_MEMORY_H

#include <stddef.h>

#define GL_ALIGNMENT 64 /* of all arrays: a cache line, and the widest vector */
#define GL_LARGE (1 << 17) /* bytes: from here on pieces are kept */
#define GL_KEPT_BYTES (256 << 20)
#define GL_KEPT_BEYOND 8
#define GL_KEPT_MS 1000
#define GL_REST_CALLS 16

/* At least `bytes` bytes, aligned to GL_ALIGNMENT; NULL if there is no memory. */
void *gl_memory_new(size_t bytes);
/* As realloc: the memory with room for `bytes`, moved if need be; NULL if there is none, and nothing happened. */
void *gl_memory_resized(void *memory, size_t bytes);
/* Give memory back; NULL is fine. */
void gl_memory_drop(void *memory);

/* A call ends: perhaps give up what nobody wanted for a while. */
void gl_memory_rest(void);
/* Give everything that is kept to the system: how many bytes. */
size_t gl_memory_release(void);

/* Bytes of large pieces. */
typedef struct gl_memory_use {
  size_t in_use, kept, most; /* `most`: that were ever in use at once */
} gl_memory_use;
gl_memory_use gl_memory_used(void);

/* Makes fork safe, and lets threads have trays; once, before the first call. */
int gl_memory_start(void);

#endif
