#include "message_model.h"

#include <stdlib.h>
#include <string.h>

#include "core/streams/json.h"

static void push(heard_items_t *heard, heard_kind_t kind, const char *bytes, uint64_t len) {
  heard_item_t *items = realloc(heard->items, (heard->count + 1) * sizeof *items);
  if (!items) abort();
  heard->items = items;
  heard_item_t *item = &items[heard->count++];
  *item = (heard_item_t){.kind = kind, .len = len};
  if (kind == HEARD_LOST) return;
  item->bytes = malloc(len + 1);
  if (!item->bytes) abort();
  memcpy(item->bytes, bytes, len);
}

void heard_items_free(heard_items_t *heard) {
  for (size_t i = 0; i < heard->count; i++)
    free(heard->items[i].bytes);
  free(heard->items);
  *heard = (heard_items_t){0};
}

const char *heard_items_differ(const heard_items_t *a, const heard_items_t *b) {
  for (size_t i = 0; i < a->count && i < b->count; i++) {
    if (a->items[i].kind != b->items[i].kind) return "what a line was taken for";
    if (a->items[i].len != b->items[i].len) return "length of a line";
    if (a->items[i].bytes && memcmp(a->items[i].bytes, b->items[i].bytes, a->items[i].len) != 0)
      return "text of a line";
  }
  return a->count == b->count ? NULL : "number of lines";
}

static bool is_over(void *arg) {
  const heard_items_t *heard = arg;
  return heard->over_after > 0 && heard->calls >= heard->over_after;
}

static void note_call(heard_items_t *heard) {
  if (is_over(heard)) abort();
  heard->calls++;
}

static void on_messages(void *arg, const pm_str_t *messages, size_t count) {
  if (count == 0) abort();
  note_call(arg);
  for (size_t i = 0; i < count; i++)
    push(arg, HEARD_MESSAGE, messages[i].base, messages[i].len);
}

static void on_strays(void *arg, const pm_str_t *lines, size_t count) {
  if (count == 0) abort();
  note_call(arg);
  for (size_t i = 0; i < count; i++)
    push(arg, HEARD_STRAY, lines[i].base, lines[i].len);
}

static void on_lost(void *arg, uint64_t bytes) {
  note_call(arg);
  push(arg, HEARD_LOST, NULL, bytes);
}

pm__framer_out_t heard_items_out(heard_items_t *heard, size_t max) {
  return (pm__framer_out_t){
      .max = max, .messages = on_messages, .strays = on_strays, .lost = on_lost, .is_over = is_over, .arg = heard};
}

static bool is_blank(const char *bytes, size_t len) {
  while (len > 0 && strchr(" \t\r", bytes[len - 1]) && bytes[len - 1] != '\0')
    len--;
  return len == 0;
}

static void take_line(heard_items_t *heard, const char *bytes, size_t len, size_t max) {
  if (len > 0 && bytes[len - 1] == '\r') len--;
  bool is_json = pm__json_is_structure(bytes, len);
  if (len > max)
    push(heard, HEARD_LOST, NULL, len);
  else if (is_json)
    push(heard, HEARD_MESSAGE, bytes, len);
  else if (!is_blank(bytes, len))
    push(heard, HEARD_STRAY, bytes, len);
}

void message_model(heard_items_t *heard, const char *bytes, size_t len, size_t max, bool finished) {
  size_t start = 0;
  for (size_t i = 0; i < len; i++) {
    if (bytes[i] != '\n') continue;
    take_line(heard, bytes + start, i - start, max);
    start = i + 1;
  }
  if (finished && start < len) take_line(heard, bytes + start, len - start, max);
}
