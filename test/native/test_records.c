/* What the manager keeps of its processes: ids that are never given twice, and ended ones up to maxEnded. */
#include "pm_fixture.h"

static void open_host(host_t *h) {
  host_init(h);
  host_open(h);
}

/* ---- ids ------------------------------------------------------------------------- */

static void spawn_and_remove(host_t *h, const char *id) {
  host_spawn(h, id, "exit-with", "0");
  host_wait(h, id, PM_EVENT_EXIT, 1);
  host_wait_idle(h);
  assert_int_equal(pm_process_remove(h->m, str(id)), 0);
}

static void assert_made(host_t *h, const char *id) {
  host_spawn(h, NULL, "exit-with", "0");
  assert_string_equal(h->id, id);
}

static void test_ids_taken_by_hand(void **state) {
  (void)state;
  host_t h;
  open_host(&h);
  assert_made(&h, "proc_1000");
  spawn_and_remove(&h, "proc_1001");
  assert_made(&h, "proc_1002");
  /* One that was made before takes nothing back. */
  host_wait_idle(&h);
  host_spawn(&h, "proc_1000", "exit-with", "0");
  assert_made(&h, "proc_1003");
  spawn_and_remove(&h, "proc_2000");
  assert_made(&h, "proc_2001");
  host_close(&h);
}

static void test_ids_that_only_look_alike(void **state) {
  (void)state;
  static const char *const ids[] = {"proc_",      "proc_1000x", "proc_x1000",
                                    "proc_-5",    "Proc_5000",  "proc5000",
                                    "proc_ 5000", "xproc_5000", "proc_9999999999999999999999999999999999"};
  host_t h;
  open_host(&h);
  for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
    spawn_and_remove(&h, ids[i]);
  spawn_and_remove(&h, "proc_18446744073709551615");
  assert_made(&h, "proc_1000");
  /* As far as anybody counts. */
  spawn_and_remove(&h, "proc_999999999999999");
  assert_made(&h, "proc_1000000000000000");
  assert_made(&h, "proc_1000000000000001");
  host_close(&h);
}

/* ---- ended ones -------------------------------------------------------------------- */

/* What is not kept can be asked for all the same until its end has been told. */
static void test_none_kept(void **state) {
  (void)state;
  host_t h;
  host_init(&h);
  h.options.value[PM_OPT_MAX_ENDED] = 0;
  host_open(&h);
  host_spawn(&h, "none", "/no/such/command");
  assert_state(&h, "none", "error", "failed");
  assert_string_equal(host_status(&h, "none").error->code, "ENOENT");
  assert_string_equal(host_wait(&h, "none", PM_EVENT_ERROR, 1)->error.code, "ENOENT");
  host_turn(&h, 2);
  assert_false(host_knows(&h, "none"));

  host_spawn(&h, "a", "exit-with", "7");
  assert_int_equal(host_wait(&h, "a", PM_EVENT_EXIT, 1)->code, 7);
  host_wait_idle(&h);
  host_turn(&h, 2);
  assert_false(host_knows(&h, "a"));
  host_close(&h);
}

static void test_none_kept_of_several(void **state) {
  (void)state;
  enum { MANY = 5 };
  host_t h;
  char id[2] = "a";
  host_init(&h);
  h.options.value[PM_OPT_MAX_ENDED] = 2;
  host_open(&h);
  for (int i = 0; i < MANY; i++) {
    id[0] = (char)('a' + i);
    host_spawn(&h, id, "/no/such/command");
  }
  for (int i = 0; i < MANY; i++) {
    id[0] = (char)('a' + i);
    assert_state(&h, id, "error", "failed");
  }
  for (int i = 0; i < MANY; i++) {
    id[0] = (char)('a' + i);
    host_wait(&h, id, PM_EVENT_ERROR, 1);
  }
  for (int i = 0; i < MANY; i++) {
    id[0] = (char)('a' + i);
    assert_int_equal(host_knows(&h, id), i >= MANY - 2);
  }
  host_close(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ids_taken_by_hand),
      cmocka_unit_test(test_ids_that_only_look_alike),
      cmocka_unit_test(test_none_kept),
      cmocka_unit_test(test_none_kept_of_several),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
