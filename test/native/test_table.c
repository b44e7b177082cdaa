/* The manager's records: found by id, listed in the order of spawning, aged in the order of ending. */
#include <stdio.h>
#include <stdlib.h>

#include "core/internal.h"
#include "core/table.h"
#include "pm_fixture.h"

enum { COUNT = 1000 };

typedef struct entries {
  pm_manager_t m;
  pm__process_t all[COUNT];
  char ids[COUNT][16];
} entries_t;

static entries_t *make(void) {
  entries_t *e = calloc(1, sizeof(*e));
  assert_non_null(e);
  for (int i = 0; i < COUNT; i++) {
    int n = snprintf(e->ids[i], sizeof(e->ids[i]), "id %d", i);
    e->all[i].id = (pm_str_t){e->ids[i], (size_t)n};
  }
  return e;
}

static void discard(entries_t *e) {
  free(e->m.buckets);
  free(e);
}

static void test_empty(void **state) {
  (void)state;
  entries_t *e = make();
  assert_null(pm__table_find(&e->m, str("id 0")));
  assert_null(pm__table_find(&e->m, (pm_str_t){"", 0}));
  discard(e);
}

static void test_found_by_id(void **state) {
  (void)state;
  entries_t *e = make();
  for (int i = 0; i < COUNT; i++) {
    assert_null(pm__table_find(&e->m, e->all[i].id));
    assert_int_equal(pm__table_add(&e->m, &e->all[i]), 0);
    assert_true(e->all[i].known);
    for (int k = i; k >= 0; k -= 1 + k / 3)
      assert_ptr_equal(pm__table_find(&e->m, e->all[k].id), &e->all[k]);
  }
  assert_int_equal(e->m.known, COUNT);
  assert_null(pm__table_find(&e->m, (pm_str_t){"id 10", 4 - 1}));
  for (int i = 0; i < COUNT; i += 2)
    pm__table_remove(&e->m, &e->all[i]);
  for (int i = 0; i < COUNT; i++) {
    assert_ptr_equal(pm__table_find(&e->m, e->all[i].id), i % 2 ? &e->all[i] : NULL);
    assert_int_equal(e->all[i].known, i % 2);
  }
  assert_int_equal(e->m.known, COUNT / 2);
  discard(e);
}

static void expect_order(const entries_t *e, const int *order, int count) {
  const pm__process_t *p = e->m.first;
  const pm__process_t *before = NULL;
  for (int i = 0; i < count; i++) {
    assert_ptr_equal(p, &e->all[order[i]]);
    assert_ptr_equal(p->prev, before);
    before = p;
    p = p->next;
  }
  assert_null(p);
  assert_ptr_equal(e->m.last, before);
}

static void test_order_of_spawning(void **state) {
  (void)state;
  entries_t *e = make();
  for (int i = 0; i < 5; i++)
    assert_int_equal(pm__table_add(&e->m, &e->all[i]), 0);
  expect_order(e, (int[]){0, 1, 2, 3, 4}, 5);
  pm__table_remove(&e->m, &e->all[0]);
  pm__table_remove(&e->m, &e->all[2]);
  pm__table_remove(&e->m, &e->all[4]);
  expect_order(e, (int[]){1, 3}, 2);
  assert_int_equal(pm__table_add(&e->m, &e->all[2]), 0);
  expect_order(e, (int[]){1, 3, 2}, 3);
  pm__table_remove(&e->m, &e->all[1]);
  pm__table_remove(&e->m, &e->all[3]);
  pm__table_remove(&e->m, &e->all[2]);
  expect_order(e, NULL, 0);
  discard(e);
}

static void expect_ended(const entries_t *e, const int *order, size_t count) {
  const pm__process_t *p = e->m.ended_first;
  const pm__process_t *before = NULL;
  for (size_t i = 0; i < count; i++) {
    assert_ptr_equal(p, &e->all[order[i]]);
    assert_ptr_equal(p->ended_prev, before);
    before = p;
    p = p->ended_next;
  }
  assert_null(p);
  assert_ptr_equal(e->m.ended_last, before);
  assert_int_equal(e->m.ended, count);
}

static void test_order_of_ending(void **state) {
  (void)state;
  entries_t *e = make();
  for (int i = 0; i < 4; i++)
    assert_int_equal(pm__table_add(&e->m, &e->all[i]), 0);
  static const int order[] = {2, 0, 3, 1};
  for (int i = 0; i < 4; i++)
    pm__table_mark_ended(&e->m, &e->all[order[i]]);
  expect_ended(e, order, 4);
  pm__table_mark_live(&e->m, &e->all[3]);
  expect_ended(e, (int[]){2, 0, 1}, 3);
  pm__table_mark_live(&e->m, &e->all[2]);
  pm__table_mark_live(&e->m, &e->all[1]);
  expect_ended(e, (int[]){0}, 1);
  pm__table_mark_ended(&e->m, &e->all[2]);
  expect_ended(e, (int[]){0, 2}, 2);
  pm__table_mark_live(&e->m, &e->all[0]);
  pm__table_mark_live(&e->m, &e->all[2]);
  expect_ended(e, NULL, 0);
  discard(e);
}

/* Nothing has changed when there is no memory to grow. */
static void test_no_memory(void **state) {
  (void)state;
  entries_t *e = make();
  int added = 0;
  for (int i = 0; i < COUNT; i++) {
    alloc_fail_nth(1);
    int r = pm__table_add(&e->m, &e->all[i]);
    bool grew = alloc_seen() > 0;
    alloc_fail_nth(0);
    assert_int_equal(r, grew ? UV_ENOMEM : 0);
    if (!grew) continue;
    assert_false(e->all[i].known);
    assert_int_equal(e->m.known, i);
    assert_null(pm__table_find(&e->m, e->all[i].id));
    if (i > 0) assert_ptr_equal(pm__table_find(&e->m, e->all[i - 1].id), &e->all[i - 1]);
    assert_int_equal(pm__table_add(&e->m, &e->all[i]), 0);
    added++;
  }
  assert_true(added > 3);
  discard(e);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_empty),
      cmocka_unit_test(test_found_by_id),
      cmocka_unit_test(test_order_of_spawning),
      cmocka_unit_test(test_order_of_ending),
      cmocka_unit_test(test_no_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
