#define _GNU_SOURCE
#include "tree.h"

#include <fcntl.h>
#include <signal.h>

#include "raw_directory.h"
#include "raw_syscall.h"
#include "raw_text.h"

/* The deepest chain that is followed upwards. */
enum { DEEPEST = 4096 };

static long open_read_only(long directory, const char *path, long flags) {
  return pm__raw4(SYS_openat, directory, PM__RAW_POINTER(path), O_RDONLY | O_CLOEXEC | flags, 0);
}

int pm__tree_stat(int pid, pm__proc_stat_t *out) {
  char path[16 + PM__RAW_DIGITS];
  char text[1024];
  pm__raw_put(pm__raw_put_number(pm__raw_put(path, "/proc/"), (unsigned long)pid), "/stat");
  long fd = open_read_only(AT_FDCWD, path, 0);
  if (fd < 0) return fd == -ENOENT ? -ESRCH : (int)fd;
  long n = pm__raw3(SYS_read, fd, PM__RAW_POINTER(text), sizeof(text));
  pm__raw1(SYS_close, fd);
  if (n <= 0) return n < 0 ? (int)n : -ESRCH;
  if (pm__proc_stat_parse(text, (size_t)n, out) != 0) return -EINVAL;
  return pm__proc_stat_lives(out) ? 0 : -ESRCH;
}

bool pm__tree_is_named(int pid, const char *line) {
  char path[16 + PM__RAW_DIGITS];
  char text[64] = ""; /* the analyzer does not know that read writes it */
  pm__raw_put(pm__raw_put_number(pm__raw_put(path, "/proc/"), (unsigned long)pid), "/comm");
  long fd = open_read_only(AT_FDCWD, path, 0);
  if (fd < 0) return false;
  long n = pm__raw3(SYS_read, fd, PM__RAW_POINTER(text), sizeof(text));
  pm__raw1(SYS_close, fd);
  for (long i = 0; i < n; i++)
    if (line[i] == '\0' || text[i] != line[i]) return false;
  return n > 0 && line[n] == '\0';
}

/* ---- lists of children ------------------------------------------------------------ */

/* Calls each for the pids in an open file of children ("12 345 ") until that gives
 * false. 0, or a negative errno. The kernel looks for where a read begins from the
 * first child on, so that many small ones would cost more than all the rest. */
PM__RAW static long each_pid(long fd, bool (*each)(void *arg, int pid), void *arg) {
  char text[4096];
  int pid = 0;
  long n;
  while ((n = pm__raw3(SYS_read, fd, PM__RAW_POINTER(text), sizeof(text))) > 0) {
    for (long i = 0; i < n; i++) {
      /* The analyzer does not know that read has written it.
       * NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
      if (text[i] >= '0' && text[i] <= '9') {
        pid = pid * 10 + (text[i] - '0');
      } else if (pid > 0) {
        if (!each(arg, pid)) return 0;
        pid = 0;
      }
    }
  }
  return n;
}

typedef struct collected {
  int *pids;
  int count, max;
} collected_t;

static bool collect(void *arg, int pid) {
  collected_t *c = arg;
  if (c->count < c->max) c->pids[c->count++] = pid;
  return c->count < c->max;
}

/* Each thread has a list of the children that it made. It may end meanwhile. */
static void collect_of_thread(void *arg, long directory, const char *name) {
  collected_t *c = arg;
  char path[PM__RAW_DIGITS + 16];
  if (name[0] < '0' || name[0] > '9') return;
  pm__raw_put(pm__raw_put_number(path, (unsigned long)pm__raw_number(name, 0)), "/children");
  long fd = open_read_only(directory, path, 0);
  if (fd < 0) return;
  each_pid(fd, collect, c);
  pm__raw1(SYS_close, fd);
}

static long collect_of_process(collected_t *c, int pid) {
  char path[16 + PM__RAW_DIGITS];
  pm__raw_put(pm__raw_put_number(pm__raw_put(path, "/proc/"), (unsigned long)pid), "/task");
  long directory = open_read_only(AT_FDCWD, path, O_DIRECTORY);
  if (directory < 0) return directory;
  long r = pm__raw_each_entry(directory, collect_of_thread, c);
  pm__raw1(SYS_close, directory);
  return r;
}

/* The list is its own queue: what has been found is looked into next. */
int pm__tree_list(int root, int *pids, int max) {
  collected_t c = {.pids = pids, .max = max};
  long r = collect_of_process(&c, root);
  if (r < 0) return (int)r;
  for (int i = 0; i < c.count && c.count < max; i++)
    collect_of_process(&c, pids[i]);
  return c.count;
}

int pm__tree_children(int pid, bool one_thread, int *pids, int max) {
  collected_t c = {.pids = pids, .max = max};
  char path[32 + 2 * PM__RAW_DIGITS];
  long r;
  if (one_thread) {
    char *at = pm__raw_put_number(pm__raw_put(path, "/proc/"), (unsigned long)pid);
    pm__raw_put(pm__raw_put_number(pm__raw_put(at, "/task/"), (unsigned long)pid), "/children");
    long fd = open_read_only(AT_FDCWD, path, 0);
    r = fd < 0 ? fd : each_pid(fd, collect, &c);
    if (fd >= 0) pm__raw1(SYS_close, fd);
  } else {
    r = collect_of_process(&c, pid);
  }
  return r < 0 ? (int)r : c.count;
}

bool pm__tree_contains(int root, const pm__proc_stat_t *stat) {
  pm__proc_stat_t child = *stat;
  for (int level = 0; level < DEEPEST; level++) {
    pm__proc_stat_t parent;
    if (child.ppid == root) return true;
    if (child.ppid <= 1 || pm__tree_stat(child.ppid, &parent) != 0 || parent.start_time > child.start_time)
      return false;
    child = parent;
  }
  return false;
}

typedef struct killed {
  long count, refused;
} killed_t;

PM__RAW static bool kill_and_count(void *arg, int pid) {
  killed_t *killed = arg;
  killed->count++;
  if (pm__raw2(SYS_kill, pid, SIGKILL) == -EPERM) killed->refused++;
  return true;
}

PM__RAW long pm__tree_kill_children(long *refused) {
  killed_t killed = {0};
  long fd = pm__raw4(SYS_openat, AT_FDCWD, PM__RAW_POINTER("/proc/thread-self/children"), O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return fd;
  long r = each_pid(fd, kill_and_count, &killed);
  pm__raw1(SYS_close, fd);
  if (refused) *refused = killed.refused;
  return r < 0 ? r : killed.count;
}
