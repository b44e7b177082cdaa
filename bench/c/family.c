/* A process with so many idle children, which end with it, as it does with its host.
 * Usage: family HOST_PID CHILDREN; says "ready" when they stand */
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

static void stay(pid_t host) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || kill(host, 0) != 0) _exit(1);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  stay((pid_t)atoi(argv[1]));
  pid_t self = getpid();
  for (long i = atol(argv[2]); i > 0; i--) {
    pid_t pid = fork();
    if (pid < 0) return 1;
    if (pid > 0) continue;
    stay(self);
    for (;;)
      pause();
  }
  if (write(STDOUT_FILENO, "ready\n", 6) != 6) return 1;
  for (;;)
    pause();
}
