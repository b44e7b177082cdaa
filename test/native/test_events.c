/* The queue of events: in order, only what was there, and sound when memory is short. */
#include <stdio.h>
#include <stdlib.h>

#include "core/alloc.h"
#include "core/events.h"
#include "core/internal.h"
#include "pm_fixture.h"

static void open_host(host_t *h) {
  host_init(h);
  host_open(h);
}

static void add(host_t *h, double value) {
  assert_int_equal(pm__events_reserve(h->m, PM__EVENTS_PER_CALL), 0);
  pm__queued_t *entry = pm__events_add(h->m, NULL, PM_EVENT_LIMIT);
  entry->event.limit = "test";
  entry->event.value = value;
}

static void expect_values(const host_t *h, size_t from, size_t count) {
  assert_int_equal(h->seen_count, from + count);
  for (size_t i = from; i < from + count; i++)
    assert_true(h->seen[i]->value == (double)i);
}

static void test_in_order(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  size_t value = 0;
  /* Rounds of growing length wrap the ring at every place and make it grow. */
  for (size_t round = 1; round < 70; round++) {
    for (size_t i = 0; i < round; i++)
      add(&h, (double)value++);
    assert_int_equal(h.seen_count, value - round);
    pm__events_deliver(h.m);
    expect_values(&h, value - round, round);
  }
  host_close(&h);
}

static void test_unset_fields(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  add(&h, 1);
  pm__events_deliver(h.m);
  const seen_t *s = h.seen[0];
  assert_int_equal(s->code, -1);
  assert_int_equal(s->pid, 0);
  assert_string_equal(s->id, "");
  assert_string_equal(s->signal, "");
  assert_false(s->has_error || s->has_stop);
  host_close(&h);
}

static void add_two_more(host_t *h, const pm_event_t *event) {
  if (event->value >= 100) return;
  size_t before = h->seen_count;
  add(h, event->value + 100);
  add(h, event->value + 100);
  pm__events_deliver(h->m); /* from within a delivery: nothing */
  assert_int_equal(h->seen_count, before);
}

/* What callbacks add waits for the next turn. */
static void test_only_what_was_there(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  h.on_event = add_two_more;
  for (int i = 0; i < 10; i++)
    add(&h, i);
  pm__events_deliver(h.m);
  assert_int_equal(h.seen_count, 10);
  assert_true(h.active);
  host_turn(&h, 1);
  assert_int_equal(h.seen_count, 30);
  host_turn(&h, 3);
  assert_int_equal(h.seen_count, 30);
  assert_false(h.active);
  host_close(&h);
}

static void close_at_once(host_t *h, const pm_event_t *event) {
  (void)event;
  host_begin_closing(h);
}

static void test_closed_while_delivering(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  h.on_event = close_at_once;
  for (int i = 0; i < 10; i++)
    add(&h, i);
  pm__events_deliver(h.m);
  assert_int_equal(h.seen_count, 1);
  host_close(&h);
}

static void test_no_memory(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  size_t added = 0;
  while (true) {
    alloc_fail_nth(1);
    int r = pm__events_reserve(h.m, PM__EVENTS_PER_CALL);
    alloc_fail_nth(0);
    if (r != 0) {
      assert_int_equal(r, UV_ENOMEM);
      break;
    }
    add(&h, (double)added++);
  }
  assert_true(added > 0);
  pm__events_deliver(h.m);
  expect_values(&h, 0, added);
  /* After a delivery there is room again. */
  alloc_fail_nth(1);
  assert_int_equal(pm__events_reserve(h.m, PM__EVENTS_PER_CALL), 0);
  alloc_fail_nth(0);
  host_close(&h);
}

/* ---- answers ------------------------------------------------------------------------ */

static pm__waiter_t *waiters(answer_t *answers, size_t count) {
  pm__waiter_t *first = NULL;
  while (count-- > 0) {
    pm__waiter_t *w = pm__malloc(sizeof(*w));
    assert_non_null(w);
    *w = (pm__waiter_t){.next = first, .cb = on_answer, .arg = &answers[count]};
    first = w;
  }
  return first;
}

static void test_answers(void **state) {
  (void)state;
  enum { COUNT = 100 };
  host_t h;
  open_host(&h);
  pm__process_t p = {.manager = h.m};
  answer_t answers[COUNT];
  for (int i = 0; i < COUNT; i++)
    answers[i] = (answer_t){.host = &h};
  add(&h, 0);
  pm__waiter_t *list = waiters(answers, COUNT);
  pm__events_answer(&p, &list, true);
  assert_null(list);
  assert_int_equal(answers[0].times, 0);
  pm__events_deliver(h.m);
  for (int i = 0; i < COUNT; i++) {
    assert_int_equal(answers[i].times, 1);
    assert_true(answers[i].result);
    assert_int_equal(answers[i].after, 1);
  }

  /* Without memory for the queue they are given at once rather than lost. */
  list = waiters(answers, COUNT);
  alloc_fail_from(1);
  pm__events_answer(&p, &list, false);
  alloc_fail_nth(0);
  pm__events_deliver(h.m);
  for (int i = 0; i < COUNT; i++) {
    assert_int_equal(answers[i].times, 2);
    assert_false(answers[i].result);
  }
  host_close(&h);
}

/* ---- faults ---------------------------------------------------------------------------- */

static void test_faults(void **state) {
  (void)state;
  pm_error_t error = {.err = UV_EPERM, .code = "EPERM", .message = "words"};
  pm__fault_t *fault = pm__fault_new(&error);
  assert_ptr_equal(pm__fault_ref(fault), fault);
  pm__fault_unref(fault);
  assert_string_equal(fault->error.message, "words");
  pm__fault_unref(fault);
  pm__fault_unref(NULL);

  alloc_fail_nth(1);
  fault = pm__fault_new(&error);
  alloc_fail_nth(0);
  assert_non_null(fault);
  assert_int_equal(fault->error.err, UV_ENOMEM);
  assert_string_equal(fault->error.code, "ENOMEM");
  pm__fault_ref(fault);
  for (int i = 0; i < 3; i++)
    pm__fault_unref(fault);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_in_order),
      cmocka_unit_test(test_unset_fields),
      cmocka_unit_test(test_only_what_was_there),
      cmocka_unit_test(test_closed_while_delivering),
      cmocka_unit_test(test_no_memory),
      cmocka_unit_test(test_answers),
      cmocka_unit_test(test_faults),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
