/* Commands that flood get neither the loop nor the pipes for themselves. */
#include <stdio.h>
#include <stdlib.h>

#include "core/internal.h"
#include "core/streams/output.h"
#include "core/table.h"
#include "pm_fixture.h"

enum { CHILDREN = 10, MEGABYTE = 1 << 20, EACH = 5 * MEGABYTE };

/* What may be read between two turns of a timer of 1 ms: of each stream a read a turn, and what a tick reads; and a
 * slow machine does no more in a millisecond. */
enum { MOST_AT_ONCE = CHILDREN * 2 * MEGABYTE };

typedef struct flooded {
  host_t h;
  uv_timer_t timer;
  uint64_t fired, began;
  uint64_t bytes, most_at_once;
  uint64_t least, largest; /* of one child */
  bool done;
} flooded_t;

static void look(void *arg, const pm_status_t *status) {
  flooded_t *f = arg;
  uint64_t bytes = status->streams[PM_STDOUT].bytes;
  f->bytes += bytes;
  if (bytes < f->least) f->least = bytes;
  if (bytes > f->largest) f->largest = bytes;
}

static void on_timer(uv_timer_t *timer) {
  flooded_t *f = timer->data;
  uint64_t before = f->bytes;
  f->fired++;
  f->bytes = f->largest = 0;
  f->least = UINT64_MAX;
  pm_manager_list(f->h.m, look, f);
  if (f->bytes - before > f->most_at_once) f->most_at_once = f->bytes - before;
  f->done = f->largest >= EACH;
}

static void flood(flooded_t *f, unsigned mask, const char *line, const char *how) {
  memset(f, 0, sizeof(*f));
  host_init(&f->h);
  f->h.forgetful = true;
  host_open(&f->h);
  pm_manager_listen(f->h.m, mask);
  for (int i = 0; i < CHILDREN; i++)
    host_spawn(&f->h, NULL, "flood", "1000000000000", line, how);
  uv_timer_init(&f->h.loop, &f->timer);
  f->timer.data = f;
  f->began = uv_hrtime();
  uv_timer_start(&f->timer, on_timer, 1, 1);
  run_until(&f->h.loop, &f->done);
  uint64_t ms = (uv_hrtime() - f->began) / 1000000;
  uv_close((uv_handle_t *)&f->timer, NULL);
  host_close(&f->h);

  print_message("%d ms, the timer fired %d times, at most %d KiB between; of a child %d to %d KiB\n", (int)ms,
                (int)f->fired, (int)(f->most_at_once >> 10), (int)(f->least >> 10), (int)(f->largest >> 10));
  assert_true(f->most_at_once <= MOST_AT_ONCE);
  assert_true(f->fired * 100 >= ms);
  assert_true(f->least * 20 >= f->largest);
}

static void test_nobody_listens(void **state) {
  (void)state;
  flooded_t f;
  flood(&f, 0, "80", NULL);
}

static void test_a_line_at_a_time(void **state) {
  (void)state;
  flooded_t f;
  flood(&f, 0, "80", "each");
}

static void test_somebody_listens(void **state) {
  (void)state;
  flooded_t f;
  flood(&f, PM_LISTEN_STDOUT, "80", NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_nobody_listens),
      cmocka_unit_test(test_a_line_at_a_time),
      cmocka_unit_test(test_somebody_listens),
  };
  return cmocka_run_group_tests_name("fairness", tests, NULL, NULL);
}
