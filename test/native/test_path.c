/* Commands without a '/': looked up in the child's own PATH, in its order. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pm_fixture.h"

static char dir[256];

/* first and second hold "tool.sh" that say their names, closed one that may not
 * be executed, odd one without a format. */
static int make_dirs(void **state) {
  static const struct {
    const char *name;
    const char *content;
    mode_t mode;
  } rows[] = {{"first", "#!/bin/sh\necho first\n", 0755},
              {"second", "#!/bin/sh\necho second\n", 0755},
              {"closed", "#!/bin/sh\necho closed\n", 0644},
              {"odd", "echo odd\n", 0755}};
  (void)state;
  make_scratch(dir, sizeof(dir));
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", dir, rows[i].name);
    if (mkdir(path, 0755) != 0) return -1;
    snprintf(path, sizeof(path), "%s/%s/tool.sh", dir, rows[i].name);
    FILE *file = fopen(path, "w");
    if (!file) return -1;
    fputs(rows[i].content, file);
    fclose(file);
    chmod(path, rows[i].mode);
  }
  return 0;
}

static int remove_dirs(void **state) {
  (void)state;
  remove_scratch(dir);
  return 0;
}

static void expand(char *to, size_t size, const char *from) {
  size_t len = 0;
  for (to[0] = '\0'; *from && len + 1 < size; from++) {
    if (*from == '@')
      len += (size_t)snprintf(to + len, size - len, "%s", dir);
    else
      len += (size_t)snprintf(to + len, size - len, "%c", *from);
  }
}

/* "@" in path and working_dir stands for the directory; path NULL: none in the
 * environment. output NULL: it fails with code. */
static void expect(const char *path, const char *working_dir, const char *output, const char *code) {
  char value[2048];
  char cwd[512];
  host_t h;
  host_init(&h);
  host_open(&h);
  expand(value, sizeof(value), path ? path : "");
  const pm_env_var_t env[] = {{str("PATH"), str(value)}};
  h.config.env = env;
  h.config.env_count = path ? 1 : 0;
  expand(cwd, sizeof(cwd), working_dir ? working_dir : "");
  if (working_dir) h.config.working_dir = str(cwd);
  host_spawn(&h, "a", "tool.sh");
  if (output) {
    assert_int_equal(host_wait(&h, "a", PM_EVENT_EXIT, 1)->code, 0);
    assert_string_equal(host_output(&h, "a", PM_STDOUT)->bytes, output);
  } else {
    const seen_t *error = host_wait(&h, "a", PM_EVENT_ERROR, 1);
    assert_string_equal(error->error.code, code);
    assert_string_equal(error->error.syscall, "execve");
  }
  host_close(&h);
}

static void test_order(void **state) {
  (void)state;
  expect("@/first:@/second", NULL, "first\n", NULL);
  expect("@/second:@/first", NULL, "second\n", NULL);
  expect("/no/such/place:/dev/null:@/second:@/first", NULL, "second\n", NULL);
}

static void test_not_allowed_then_found(void **state) {
  (void)state;
  expect("@/closed:@/first", NULL, "first\n", NULL);
  expect("@/closed:/no/such/place", NULL, NULL, "EACCES");
}

static void test_not_found(void **state) {
  (void)state;
  expect("/no/such/place:@", NULL, NULL, "ENOENT");
}

/* What is found but cannot be run ends the search; no shell tries it. */
static void test_no_format(void **state) {
  (void)state;
  expect("@/odd:@/first", NULL, NULL, "ENOEXEC");
}

/* An empty element is the working directory, the child's. */
static void test_empty_element(void **state) {
  (void)state;
  expect(":@/second", "@/first", "first\n", NULL);
  expect("/no/such/place::@/second", "@/first", "first\n", NULL);
  expect("/no/such/place:", "@/first", "first\n", NULL);
  expect("/no/such/place:@/second:", "@/first", "second\n", NULL);
  expect("first", "@", "first\n", NULL);
}

/* The host's own PATH does not count. */
static void test_not_the_hosts(void **state) {
  (void)state;
  char value[512];
  const char *before = getenv("PATH");
  char *saved = strdup(before ? before : "");
  expand(value, sizeof(value), "@/first");
  setenv("PATH", value, 1);
  expect("/no/such/place", NULL, NULL, "ENOENT");
  expect(NULL, NULL, NULL, "ENOENT");
  setenv("PATH", saved, 1);
  free(saved);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_order),         cmocka_unit_test(test_not_allowed_then_found),
      cmocka_unit_test(test_not_found),     cmocka_unit_test(test_no_format),
      cmocka_unit_test(test_empty_element), cmocka_unit_test(test_not_the_hosts),
  };
  return cmocka_run_group_tests(tests, make_dirs, remove_dirs);
}
