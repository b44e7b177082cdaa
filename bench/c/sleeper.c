/* An idle child that cannot outlive its host: the signal comes when the thread
 * that spawned it ends (a keeper has one), and a host that was faster than the
 * prctl is gone. Usage: sleeper HOST_PID */
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return 1;
  if (kill((pid_t)atoi(argv[1]), 0) != 0) return 1;
  for (;;)
    pause();
}
