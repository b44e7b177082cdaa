/*
 * A command with a keeper: the keeper is the host's own child, the command the
 * keeper's. Reports come, and orders go, by a socket, whose end is the end of the
 * (inner) keeper.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../keeper/protocol.h"
#include "raw_syscall.h"
#include "spawn_backend.h"
#include "tree.h"

enum { MOST_LISTED = 4096 };

/* In a stop, which the loop and SIGKILL wait for. */
enum { MOST_COUNTED = 256 };

/* A look for a session is one at every process of the machine. The first ones come at
 * once, for what dies at once; then each costs that many times itself of waiting. */
enum { FIRST_LOOKS = 8, COST_FACTOR = 20 };

/* ---- what the keeper tells ------------------------------------------------------- */

static void stop_listening(pm__child_t *child) {
  pm__watch_stop(&child->control);
  if (child->socket >= 0) close(child->socket);
  child->socket = -1;
}

static void take_report(pm__child_t *child, const pm__keeper_report_t *report) {
  child->reported = true;
  child->left = report->left;
  if (WIFEXITED(report->status)) child->exit.code = WEXITSTATUS(report->status);
  if (WIFSIGNALED(report->status)) child->exit.signum = WTERMSIG(report->status);
  child->usage = (pm_usage_t){report->user, report->system, report->max_rss};
  child->has_usage = true;
}

/* Once: the command has ended, or with its keeper lost is about to. */
static void announce_exit(pm__child_t *child) {
  if (child->ended) return;
  child->ended = true;
  child->on_exit(child);
}

/* Looks whether it has ended, and how: one that was killed has left its work
 * undone. It stays a zombie as yet, so that its pid, the number of the session, is
 * given to nobody else. ECHILD: somebody else has reaped it (a host that ignores
 * SIGCHLD). When it has told that nothing is left any more, the work was done however
 * it ended; but that may be so because the outer one was killed, on which the inner
 * one ends all. */
static void look_at_keeper(pm__child_t *child) {
  siginfo_t info = {0};
  if (child->keeper_ended) return;
  int r = waitid(P_PID, (id_t)child->keeper, &info, WEXITED | WNOHANG | WNOWAIT);
  child->reaped_by_else = r != 0 && errno == ECHILD;
  child->keeper_ended = r == 0 ? info.si_pid == child->keeper : child->reaped_by_else;
  if (!child->keeper_ended) return;
  bool clean = r == 0 && info.si_code == CLD_EXITED;
  if (!clean && child->reported && !child->left) clean = r != 0 || !child->inner_keeper;
  if (!clean) child->lost = true;
}

/* Socket and outer keeper, in either order. Listeners of on_exit may close it. */
static void settle(pm__child_t *child) {
  if (child->socket >= 0 || !child->keeper_ended) return;
  announce_exit(child);
  if (!child->on_close) child->on_settled(child);
}

/* Nothing will be heard of its end: it has to be asked for. */
static void give_up_watching(pm__child_t *child) {
  child->unwatched = true;
  if (child->socket >= 0) return;
  announce_exit(child);
  if (!child->on_close) child->on_settled(child);
}

static void on_control(pm__watch_t *watch);

/* Of two keepers, the outer one. What the inner one has said counts first, whichever
 * the loop tells of first: after it the end of the outer one may be no loss. */
static void on_keeper_end(pm__watch_t *watch) {
  pm__child_t *child = watch->data;
  if (child->socket >= 0) on_control(&child->control);
  if (child->on_close || !watch->active) return;
  pm__watch_stop(watch);
  look_at_keeper(child);
  /* If not, a debugger has it yet (ptrace(2)). */
  if (child->keeper_ended)
    settle(child);
  else
    give_up_watching(child);
}

/* The usual keeper is a zombie already, a few instructions after its socket
 * closed. */
static void await_keeper(pm__child_t *child) {
  look_at_keeper(child);
  if (child->keeper_ended) {
    pm__watch_stop(&child->watch);
    settle(child);
  } else if (!child->watch.active && pm__watch_start(&child->watch, PM__READABLE, on_keeper_end) != 0) {
    give_up_watching(child);
  }
}

static void on_control(pm__watch_t *watch) {
  pm__child_t *child = watch->data;
  pm__keeper_report_t report;
  ssize_t n;
  /* An order that the keeper left unread makes its end an ECONNRESET, once, which
   * comes before what it had said (unix_release_sock in the kernel). */
  do {
    n = recv(child->socket, &report, sizeof(report), MSG_DONTWAIT);
  } while (n < 0 && (errno == EINTR || errno == ECONNRESET));
  if (n < 0 && errno == EAGAIN) return;
  if (n == (ssize_t)sizeof(report)) {
    take_report(child, &report);
    /* Perhaps it was the end of the outer keeper that made the inner one end the tree. */
    if (child->inner_keeper) look_at_keeper(child);
    if (report.left) {
      announce_exit(child);
      return;
    }
  } else if (!child->reported) {
    child->lost = true;
  }
  stop_listening(child);
  await_keeper(child);
}

int pm__child_watch_keeper(pm__child_t *child) {
  child->control.fd = child->socket;
  child->watch.fd = child->pidfd;
  int r = pm__watch_start(&child->control, PM__READABLE, on_control);
  if (r == 0 && child->inner_keeper) r = pm__watch_start(&child->watch, PM__READABLE, on_keeper_end);
  return r;
}

/* ---- what the keeper is told ------------------------------------------------------ */

static int order(pm__child_t *child, pm__keeper_order_kind_t kind, int signum, bool tree) {
  const pm__keeper_order_t order = {.kind = kind, .signum = signum, .tree = tree};
  if (child->socket < 0) return UV_ESRCH;
  if (send(child->socket, &order, sizeof(order), MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof(order)) return 0;
  return errno == EAGAIN ? UV_EAGAIN : UV_ESRCH;
}

/* Its number is given to a process again once nobody is left in the session, not before
 * (a struct pid of the kernel is as well that of sessions). Then whatever session has it is another. */
static bool has_session(const pm__child_t *child) {
  return !child->reaped_by_else || (kill(child->keeper, 0) != 0 && errno == ESRCH);
}

/* Without its keeper what stayed in its session can still be found. Returns how
 * many that were. */
static int kill_session(pm__child_t *child) {
  uint64_t begin = uv_hrtime();
  if (!has_session(child)) return 0;
  int count = pm__session_kill(child->keeper, child->pid);
  uint64_t end = uv_hrtime();
  child->looks++;
  child->look_after = end + (end - begin) * COST_FACTOR;
  return count;
}

static bool may_look(const pm__child_t *child) {
  return child->looks < FIRST_LOOKS || uv_hrtime() >= child->look_after;
}

static bool has_no_keeper(const pm__child_t *child) {
  return child->socket < 0 && child->keeper_ended;
}

/* One that somebody has stopped (SIGSTOP cannot be blocked) must go on to end the tree. */
static void wake_keepers(const pm__child_t *child) {
  if (!child->keeper_ended) pm__raw4(SYS_pidfd_send_signal, child->pidfd, SIGCONT, 0, 0);
  if (child->inner_keeper) pm__session_signal(child->keeper, child->inner_keeper, SIGCONT);
}

static void kept_take_rest(pm__child_t *child) {
  order(child, PM__KEEPER_TAKE_REST, 0, true);
}

static void kept_terminate(pm__child_t *child) {
  if (has_no_keeper(child)) {
    kill_session(child);
    return;
  }
  order(child, PM__KEEPER_TERMINATE, 0, true);
  wake_keepers(child);
}

static void kept_kill(pm__child_t *child) {
  if (has_no_keeper(child)) {
    kill_session(child);
    return;
  }
  int r = order(child, PM__KEEPER_KILL, 0, true);
  /* Both ends of it are yet to be heard of, which may be too late. */
  if (r == UV_ESRCH && child->keeper_ended && child->lost) kill_session(child);
  wake_keepers(child);
}

/* Half of it is kept for the orders that end the tree: a keeper that is slow to read
 * would lose them to signals. */
static bool has_room_for_signals(const pm__child_t *child) {
  int queued;
  int size;
  socklen_t len = sizeof(size);
  if (ioctl(child->socket, SIOCOUTQ, &queued) != 0) return true;
  return getsockopt(child->socket, SOL_SOCKET, SO_SNDBUF, &size, &len) != 0 || queued < size / 2;
}

static int kept_signal(pm__child_t *child, int signum, bool tree) {
  if (child->ended && !tree) return UV_ESRCH;
  if (child->socket >= 0 && !has_room_for_signals(child)) return UV_EAGAIN;
  return order(child, PM__KEEPER_SIGNAL, signum, tree);
}

/* ---- what is left ------------------------------------------------------------------ */

static bool kept_has_news(const pm__child_t *child) {
  struct pollfd fds[] = {{.fd = child->socket, .events = POLLIN},
                         {.fd = child->watch.active ? child->pidfd : -1, .events = POLLIN}};
  return poll(fds, 2, 0) > 0;
}

/* The keeper has reaped the command. */
static bool kept_reap(pm__child_t *child) {
  (void)child;
  return true;
}

/* Whoever has its number, once somebody else has reaped it, is not ours to be waited for. */
static void reap_keeper(pm__child_t *child) {
  if (child->reaped) return;
  while (!child->reaped_by_else && waitpid(child->keeper, NULL, WNOHANG | __WALL) < 0 && errno == EINTR) {
  }
  child->reaped = true;
}

/* A keeper ends when nothing is left. One that was killed has left its session,
 * whose number is safe as long as the keeper is a zombie. */
static bool kept_gone(pm__child_t *child) {
  if (child->reaped) return true;
  if (child->socket >= 0) return false;
  look_at_keeper(child);
  if (!child->keeper_ended) return false;
  if (child->lost && (!may_look(child) || kill_session(child) > 0)) return false;
  reap_keeper(child);
  return true;
}

static bool kept_has_to_be_asked(const pm__child_t *child) {
  return child->lost || child->unwatched;
}

static bool kept_needs_host(pm__child_t *child) {
  look_at_keeper(child);
  return child->lost && child->keeper_ended && !child->reaped;
}

/* It is there, but not for us to be looked at (hidepid, proc(5)). */
static bool is_hidden(int pid, const pm__proc_stat_t *stat) {
  return stat->pid == 0 && (kill(pid, 0) == 0 || errno == EPERM);
}

/* Fills at most max of those among the first that are listed. */
static int list_living(pm__child_t *child, int *pids, int max, int most_listed) {
  int found[MOST_LISTED];
  if (child->reaped) return 0;
  if (has_no_keeper(child)) return has_session(child) ? pm__session_members(child->keeper, pids, max) : 0;
  int count = 0;
  int listed = pm__tree_list(child->keeper, found, most_listed);
  for (int i = 0; i < listed; i++) {
    pm__proc_stat_t stat = {0};
    if (found[i] == child->inner_keeper) continue;
    if (pm__tree_stat(found[i], &stat) != 0 && !is_hidden(found[i], &stat)) continue;
    if (count < max) pids[count] = found[i];
    count++;
  }
  return count;
}

static int kept_survivors(pm__child_t *child, int *pids, int max) {
  return list_living(child, pids, max, MOST_LISTED);
}

static int kept_count(pm__child_t *child) {
  return list_living(child, NULL, 0, MOST_COUNTED);
}

static void kept_release(pm__child_t *child) {
  look_at_keeper(child);
  if (child->keeper_ended) reap_keeper(child);
}

const pm__child_kind_t pm__child_kept = {
    .has_news = kept_has_news,
    .reap = kept_reap,
    .take_rest = kept_take_rest,
    .terminate = kept_terminate,
    .kill = kept_kill,
    .signal = kept_signal,
    .gone = kept_gone,
    .has_to_be_asked = kept_has_to_be_asked,
    .needs_host = kept_needs_host,
    .survivors = kept_survivors,
    .count = kept_count,
    .release = kept_release,
};
