/* The runtime's memory by itself, in many threads and over forks, for the sanitizers to watch. */
#include "gl_memory.h"

#include <assert.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 4
#define TURNS 150
#define HELD 6

static void *work(void *number)
{
  unsigned seed = 1 + (unsigned)(uintptr_t)number;
  unsigned char *held[HELD] = {NULL}, mark[HELD] = {0};
  size_t size[HELD] = {0};
  for (int t = 0; t < TURNS; t++) {
    int k = rand_r(&seed) % HELD;
    if (held[k]) { /* nobody else wrote to it meanwhile */
      assert(held[k][0] == mark[k] && held[k][size[k] - 1] == mark[k]);
      assert((uintptr_t)held[k] % GL_ALIGNMENT == 0);
    }
    if (held[k] && t % 3 == 0) {
      size_t new_size = 1 + rand_r(&seed) % (t % 2 ? 3 * GL_LARGE : 5000);
      held[k] = gl_memory_resized(held[k], new_size);
      assert(held[k] && held[k][0] == mark[k]);
      size[k] = new_size;
    } else {
      gl_memory_drop(held[k]);
      size[k] = 1 + rand_r(&seed) % (t % 2 ? 3 * GL_LARGE : 5000); /* small ones too */
      held[k] = gl_memory_new(size[k]);
      mark[k] = (unsigned char)t;
    }
    memset(held[k], mark[k], size[k]);
    if (t % 50 == 0)
      gl_memory_release();
    gl_memory_rest();
    gl_memory_use use = gl_memory_used();
    assert(use.kept <= GL_KEPT_BYTES);
  }
  for (int k = 0; k < HELD; k++)
    gl_memory_drop(held[k]);
  return NULL;
}

static void fork_often(void)
{
  for (int k = 0; k < 10; k++) {
    pid_t child = fork();
    if (child == 0) {
      assert(gl_memory_used().kept == 0);
      char *memory = gl_memory_new(2 * GL_LARGE);
      memset(memory, 1, 2 * GL_LARGE);
      gl_memory_drop(memory);
      _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    assert(status == 0);
  }
}

int main(int argc, char **argv)
{
  (void)argv;
  pthread_t threads[THREADS];
  gl_memory_start();
  gl_memory_drop(NULL);
  gl_memory_drop(gl_memory_new(0));
  assert(!gl_memory_new(SIZE_MAX) && !gl_memory_new(PTRDIFF_MAX / 4) && gl_memory_used().most == 0);
  for (uintptr_t k = 0; k < THREADS; k++)
    pthread_create(&threads[k], NULL, work, (void *)k);
  fork_often();
  for (int k = 0; k < THREADS; k++)
    pthread_join(threads[k], NULL);
  assert(gl_memory_used().in_use == 0);
  char *memory = gl_memory_new(GL_LARGE);
  gl_memory_drop(memory);
  return argc > 1 ? memory[0] : 0; /* with an argument: a use after the drop */
}
