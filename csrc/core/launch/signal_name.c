#include "signal_name.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>

#include "../../pm.h"

typedef struct name {
  int signum;
  const char *text;
} name_t;

#define NAME(signal)                                                                                                   \
  { signal, #signal }

/* What has two names is called by the first. */
static const name_t names[] = {
    NAME(SIGHUP),    NAME(SIGINT),  NAME(SIGQUIT),  NAME(SIGILL),  NAME(SIGTRAP), NAME(SIGABRT),
    NAME(SIGBUS),    NAME(SIGFPE),  NAME(SIGKILL),  NAME(SIGUSR1), NAME(SIGSEGV), NAME(SIGUSR2),
    NAME(SIGPIPE),   NAME(SIGALRM), NAME(SIGTERM),  NAME(SIGCHLD), NAME(SIGCONT), NAME(SIGSTOP),
    NAME(SIGTSTP),   NAME(SIGTTIN), NAME(SIGTTOU),  NAME(SIGURG),  NAME(SIGXCPU), NAME(SIGXFSZ),
    NAME(SIGVTALRM), NAME(SIGPROF), NAME(SIGWINCH), NAME(SIGIO),   NAME(SIGSYS),  NAME(SIGIOT),
#ifdef SIGPOLL
    NAME(SIGPOLL),
#endif
#ifdef SIGSTKFLT
    NAME(SIGSTKFLT),
#endif
#ifdef SIGPWR
    NAME(SIGPWR),
#endif
};

int pm_signal_number(pm_str_t name) {
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
    if (strlen(names[i].text) == name.len && memcmp(names[i].text, name.base, name.len) == 0) return names[i].signum;
  return 0;
}

const char *pm__signal_name(int signum) {
  if (signum == 0) return NULL;
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
    if (names[i].signum == signum) return names[i].text;
#ifdef SIGRTMIN
  if (signum >= SIGRTMIN && signum <= SIGRTMAX) return "SIGRT";
#endif
  return "SIGUNKNOWN";
}
