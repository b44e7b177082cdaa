/*
 * A child that is hard to stop; says "ready" as a message of the protocol that
 * its hosts may speak. Ends by itself after LONGEST seconds. KIND:
 *
 *   plain     ends by SIGTERM, does not read stdin
 *   eof       ends by SIGTERM, or when stdin ends
 *   eof-only  ends when stdin ends, ignores SIGTERM
 *   slow      takes 300 ms to end after SIGTERM
 *   ignore    ignores stdin and SIGTERM
 *   stopped   has stopped itself (SIGSTOP)
 *   flood     has a descendant in a session of its own that writes to stdout without end
 *   hold      has one that holds stdout, and is quiet
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LONGEST = 60, SLOWNESS = 300000 };

static void end_slowly(int signum) {
  (void)signum;
  usleep(SLOWNESS);
  _exit(0);
}

static void read_to_the_end(void) {
  char bytes[256];
  while (read(STDIN_FILENO, bytes, sizeof(bytes)) > 0) {
  }
  _exit(0);
}

static void start_descendant(int floods) {
  static const char line[] = "{\"jsonrpc\":\"2.0\",\"method\":\"noise\"}\n";
  pid_t pid = fork();
  if (pid < 0) exit(65);
  if (pid > 0) return;
  alarm(LONGEST);
  setsid();
  signal(SIGPIPE, SIG_IGN);
  while (floods)
    if (write(STDOUT_FILENO, line, sizeof(line) - 1) < 0) usleep(1000);
  for (;;)
    pause();
}

int main(int argc, char **argv) {
  const char *kind = argc > 1 ? argv[1] : "";
  alarm(LONGEST);
  if (strcmp(kind, "eof-only") == 0 || strcmp(kind, "ignore") == 0) signal(SIGTERM, SIG_IGN);
  if (strcmp(kind, "slow") == 0) signal(SIGTERM, end_slowly);
  puts("{\"jsonrpc\":\"2.0\",\"method\":\"ready\"}");
  fflush(stdout);
  if (strcmp(kind, "flood") == 0 || strcmp(kind, "hold") == 0) start_descendant(kind[0] == 'f');
  if (strcmp(kind, "stopped") == 0) raise(SIGSTOP);
  if (strncmp(kind, "eof", 3) == 0) read_to_the_end();
  for (;;)
    pause();
}
