/* Threads that share the work of one region at a time. A region is a function that is called for chunk 0, 1, ...;
 * each thread takes those of its own share in turn, and who has none left takes those of others. The caller works too,
 * and waits for nothing but chunks that others have begun. Regions inside a region, and those begun while another
 * thread has the pool, run on their own thread alone.
 *
 * Threads are made when the first region wants them, and sleep between regions unless one follows closely; in the
 * child of a fork there are none until it wants some itself. They keep off the processor that the caller is on. Where
 * the system gives no thread, the caller does the work. */
#ifndef GL_POOL_H
#define GL_POOL_H

#include <stdint.h>

#define GL_MAX_THREADS 256
#define GL_MAX_CHUNKS (1 << 20) /* of a region */

/* One chunk, on thread number `thread` of the region; 0 is the caller's. */
typedef void (*gl_chunk)(void *context, int64_t chunk, int32_t thread);
/* Whether the region is to end before its next chunk; asked by the caller's thread alone. May be NULL. */
typedef int (*gl_pool_stop)(void *context);

/* Call `run` for each chunk below `chunks`, on threads with numbers below `most`; returns when all have ended. */
void gl_pool_run(gl_chunk run, gl_pool_stop stop, void *context, int64_t chunks, int32_t most);

/* How many threads regions may use, the caller's among them; what is below 1 counts as 1. Regions that run go on. */
void gl_pool_set_threads(int32_t threads);
int32_t gl_pool_threads(void);

/* What was done since the process began. */
typedef struct gl_pool_use {
  int64_t regions; /* in which other threads could take part */
  int64_t helped;  /* chunks that they took */
  int32_t workers; /* there are now */
} gl_pool_use;
gl_pool_use gl_pool_used(void);

/* Makes fork safe; once, before the first region. */
int gl_pool_start(void);
/* End all workers; the next region makes new ones. Not inside a region. */
void gl_pool_end(void);

#endif
