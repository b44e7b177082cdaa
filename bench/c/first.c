/* Prints its first moment, in ns of CLOCK_MONOTONIC, which all processes of a
 * machine share. */
#include <stdint.h>
#include <stdio.h>
#include <time.h>

int main(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  printf("%llu\n", (unsigned long long)t.tv_sec * 1000000000u + (unsigned long long)t.tv_nsec);
  return 0;
}
