#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>

#include "../platform/raw_syscall.h"
#include "../platform/tree.h"
#include "keeper.h"

/* What a call that failed says is missing. */
static pm__keeper_need_t judge(long error, pm__keeper_need_t need) {
  return error == -EMFILE || error == -ENFILE || error == -ENOMEM ? PM__KEEPER_NEEDS_ROOM : need;
}

pm__keeper_need_t pm__keeper_probe(void) {
  uint64_t set = UINT64_C(1) << (SIGCHLD - 1);
  pm__proc_stat_t stat;
  long self = pm__raw1(SYS_getpid, 0);
  if (pm__raw2(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1) < 0) return PM__KEEPER_NEEDS_SUBREAPER;
  long fd = pm__raw4(SYS_signalfd4, -1, PM__RAW_POINTER(&set), sizeof(set), SFD_CLOEXEC);
  if (fd < 0) return judge(fd, PM__KEEPER_NEEDS_SIGNALFD);
  fd = pm__raw2(SYS_pidfd_open, self, 0);
  if (fd < 0) return judge(fd, PM__KEEPER_NEEDS_PIDFD);
  if (pm__raw4(SYS_pidfd_send_signal, fd, 0, 0, 0) < 0) return PM__KEEPER_NEEDS_PIDFD;
  fd = pm__raw4(SYS_openat, AT_FDCWD, PM__RAW_POINTER("/proc/thread-self/children"), O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return judge(fd, PM__KEEPER_NEEDS_PROC);
  int r = pm__tree_stat((int)self, &stat);
  if (r != 0 || stat.pid != self) return judge(r, PM__KEEPER_NEEDS_PROC);
  return PM__KEEPER_NEEDS_NOTHING;
}
