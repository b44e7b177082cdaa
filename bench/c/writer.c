/* Writes lines to stdout: so many bytes (without end if 0), in lines of LINE
 * bytes with their newline, WRITE bytes a write, which cut lines where they
 * fall. Ends when nobody reads, or after LONGEST seconds.
 * Usage: writer BYTES LINE WRITE */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LONGEST = 120 };

static int write_all(const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t n = write(STDOUT_FILENO, bytes, length);
    if (n < 0) return -1;
    bytes += n;
    length -= (size_t)n;
  }
  return 0;
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  size_t total = strtoull(argv[1], NULL, 10);
  size_t line = strtoull(argv[2], NULL, 10);
  size_t most = strtoull(argv[3], NULL, 10);
  if (line == 0 || most == 0) return 2;
  /* Every write finds its bytes in it, wherever in a line it begins. */
  size_t size = line + most;
  char *bytes = malloc(size);
  if (!bytes) return 1;
  for (size_t i = 0; i < size; i++)
    bytes[i] = (char)(i % line == line - 1 ? '\n' : 'a' + i % line % 26);

  alarm(LONGEST);
  size_t at = 0;
  for (size_t done = 0; total == 0 || done < total;) {
    size_t length = total == 0 || total - done > most ? most : total - done;
    if (write_all(bytes + at, length) != 0) return 1;
    done += length;
    at = (at + length) % line;
  }
  return 0;
}
