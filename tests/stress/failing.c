/* Preloaded: the call number `n` of a function of the system fails, as it may where memory, disk or threads run out.
 * Python arms it (fail_arm), asks how many calls there were (fail_count), and disarms it. Only calls of the armed kind
 * count; of memory only those that graphlab's C and NumPy make, as Python's own fail by its means. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { NOTHING, MEMORY, WRITE, FSYNC, RENAME, DLOPEN, THREAD };

static volatile int armed;
static int failing, many, calls;

/* Call number `number` fails, and those after it until `count` have failed. */
void fail_arm(int kind, int number, int count)
{
  calls = 0;
  failing = number;
  many = count;
  armed = kind;
}

int fail_count(void) { return calls; }

static int fails(int kind)
{
  if (armed != kind)
    return 0;
  const int call = __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
  return failing > 0 && call >= failing && call - failing < many;
}

/* Whether this address is in graphlab's module, in a program, or where NumPy makes arrays. */
static int is_graphlab(void *address)
{
  Dl_info info;
  return dladdr(address, &info) && info.dli_fname &&
         (strstr(info.dli_fname, "_rt.") || strstr(info.dli_fname, "cache/") || strstr(info.dli_fname, "_multiarray_umath"));
}

#define MEMORY_FAILS (armed == MEMORY && is_graphlab(__builtin_return_address(0)) && fails(MEMORY))
#define REAL(type, name, ...)                    \
  static type (*real)(__VA_ARGS__);              \
  if (!real)                                     \
    *(void **)&real = dlsym(RTLD_NEXT, name)

void *aligned_alloc(size_t alignment, size_t size)
{
  REAL(void *, "aligned_alloc", size_t, size_t);
  return MEMORY_FAILS ? NULL : real(alignment, size);
}

void *mmap(void *address, size_t length, int protection, int flags, int file, off_t offset)
{
  REAL(void *, "mmap", void *, size_t, int, int, int, off_t);
  if (!MEMORY_FAILS)
    return real(address, length, protection, flags, file, offset);
  errno = ENOMEM;
  return MAP_FAILED;
}

extern void *__libc_malloc(size_t size);
void *malloc(size_t size) { return MEMORY_FAILS ? NULL : __libc_malloc(size); }

ssize_t write(int file, const void *data, size_t size)
{
  REAL(ssize_t, "write", int, const void *, size_t);
  if (!fails(WRITE))
    return real(file, data, size);
  errno = ENOSPC;
  return -1;
}

int fsync(int file)
{
  REAL(int, "fsync", int);
  if (!fails(FSYNC))
    return real(file);
  errno = EIO;
  return -1;
}

int rename(const char *from, const char *to)
{
  REAL(int, "rename", const char *, const char *);
  if (!fails(RENAME))
    return real(from, to);
  errno = ENOSPC;
  return -1;
}

void *dlopen(const char *path, int flags)
{
  REAL(void *, "dlopen", const char *, int);
  return real(fails(DLOPEN) ? "/nowhere/failing.so" : path, flags); /* so that dlerror says something */
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
  REAL(int, "pthread_create", pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
  return fails(THREAD) ? EAGAIN : real(thread, attributes, run, argument);
}
