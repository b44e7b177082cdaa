/* What the engine calls: each becomes one call of the JavaScript callback. */
#include "manager.h"
#include "snapshot.h"

#include <cmath>

namespace binding {

/* An asynchronous call: what it makes ready, awaited promises too, runs when it
 * returns. */
void Manager::Call(const Napi::FunctionReference &function, Writer &out, size_t argc, const napi_value *argv) {
  napi_value self = Value(), callee = function.Value();
  if (out.ok() && self != nullptr && callee != nullptr)
    out.Keep(napi_make_callback(Env(), context_, self, callee, argc, argv, nullptr), callee);
  if (!out.ok()) ReportException();
}

void Manager::Resolve(const Napi::FunctionReference &resolve, bool result) {
  Napi::HandleScope handles(Env());
  Writer out(Env());
  napi_value value = out.Boolean(result);
  Call(resolve, out, 1, &value);
}

/* An exception of a listener becomes the process's 'uncaughtException'. */
void Manager::ReportException() {
  bool pending = false;
  napi_value exception = nullptr;
  if (napi_is_exception_pending(Env(), &pending) != napi_ok || !pending) return;
  if (napi_get_and_clear_last_exception(Env(), &exception) != napi_ok) return;
  napi_fatal_exception(Env(), exception);
}

void Manager::OnEvent(pm_manager_t *m, const pm_event_t *event) {
  Manager *self = From(m);
  if (self->exiting_) return;
  Napi::HandleScope handles(self->Env());
  Writer out(self->Env());
  napi_value argv[13] = {out.Number(event->kind), out.Text(event->id)};
  size_t argc = 2;
  auto add = [&](napi_value value) { argv[argc++] = value; };
  auto add_number = [&](double number) { add(out.Number(number)); };
  auto add_end = [&] {
    add(event->code < 0 ? out.Null() : out.Number(event->code));
    add(out.Word(event->signal));
  };
  auto add_usage = [&] {
    if (event->usage == nullptr) return;
    add_number(static_cast<double>(event->usage->user));
    add_number(static_cast<double>(event->usage->system));
    add_number(static_cast<double>(event->usage->max_rss));
  };
  switch (event->kind) {
  case PM_EVENT_SPAWN:
  case PM_EVENT_RESTART:
    add_number(event->pid);
    add_number(static_cast<double>(event->restarts));
    break;
  case PM_EVENT_EXIT:
    add_end();
    add_number(event->pid);
    add_number(event->uptime);
    add_number(static_cast<double>(event->restarts));
    add_number(static_cast<double>(event->unsent));
    add(out.Boolean(event->requested));
    add(out.Word(event->limit));
    add_usage();
    break;
  case PM_EVENT_ERROR:
  case PM_EVENT_WARNING:
    add(self->MakeError(out, event->error));
    break;
  case PM_EVENT_BACKOFF:
    add_number(event->delay);
    add_number(static_cast<double>(event->restarts));
    break;
  case PM_EVENT_QUEUED:
    add_number(event->position);
    add_number(static_cast<double>(event->restarts));
    break;
  case PM_EVENT_STOP:
    add_end();
    add(out.Boolean(event->stop->gone));
    add(out.Word(event->stop->step));
    add_number(event->stop->duration);
    add(Survivors(out, event->stop));
    add_number(event->stop->killed);
    add_number(event->stop->survivor_count);
    break;
  case PM_EVENT_METRICS:
    add(Snapshot::Keep(out, self->Env(), event->snapshot));
    add_number(static_cast<double>(event->time) / 1000);
    break;
  case PM_EVENT_DRAIN:
  case PM_EVENT_LOGGED:
    break;
  case PM_EVENT_LIMIT:
    add(out.Word(event->limit));
    add_number(event->value);
    add(std::isnan(event->seen) ? out.Null() : out.Number(event->seen));
    add(out.Word(event->action));
    break;
  }
  self->Call(self->callback_, out, argc, argv);
}

napi_value Manager::Survivors(Writer &out, const pm_stop_report_t *stop) {
  Collected pids = {out, out.Array(), 0};
  for (int i = 0; i < stop->survivor_count && i < PM_MAX_SURVIVORS; i++)
    pids.Add(out.Number(stop->survivors[i]));
  return pids.array;
}

void Manager::OnOutput(pm_manager_t *m, pm_str_t id, pm_stream_t stream, pm_str_t bytes, pm_encoding_t encoding) {
  Manager *self = From(m);
  if (self->exiting_) return;
  Napi::HandleScope handles(self->Env());
  Writer out(self->Env());
  napi_value argv[] = {out.Number(KIND_OUTPUT), out.Text(id), out.Number(stream), out.Text(bytes, encoding)};
  self->Call(self->callback_, out, 4, argv);
}

void Manager::OnLines(pm_manager_t *m, pm_str_t id, pm_stream_t stream, const pm_str_t *lines, size_t count,
                      pm_encoding_t encoding) {
  Manager *self = From(m);
  if (self->exiting_) return;
  Napi::HandleScope handles(self->Env());
  Writer out(self->Env());
  uint32_t known = 0;
  napi_value batch = out.Lines(lines, count, encoding, self->ends_, &known);
  napi_value argv[] = {out.Number(KIND_LINES), out.Text(id), out.Number(stream), batch, out.Number(known)};
  self->Call(self->callback_, out, 5, argv);
}

void Manager::OnMessages(pm_manager_t *m, pm_str_t id, const pm_str_t *messages, size_t count, pm_messages_t mode,
                         pm_encoding_t encoding) {
  Manager *self = From(m);
  if (self->exiting_) return;
  Napi::HandleScope handles(self->Env());
  Writer out(self->Env());
  bool is_parsed = mode == PM_MESSAGES_JSON;
  uint32_t known = 0;
  napi_value batch = out.Lines(messages, count, is_parsed ? PM_ENCODING_UTF8 : encoding, self->ends_, &known);
  napi_value argv[] = {out.Number(KIND_MESSAGES), out.Text(id), out.Boolean(is_parsed), batch, out.Number(known)};
  self->Call(self->callback_, out, 5, argv);
}

void Manager::OnStrays(pm_manager_t *m, pm_str_t id, const pm_str_t *lines, size_t count, pm_encoding_t encoding) {
  Manager *self = From(m);
  if (self->exiting_) return;
  Napi::HandleScope handles(self->Env());
  Writer out(self->Env());
  uint32_t known = 0;
  napi_value batch = out.Lines(lines, count, encoding, self->ends_, &known);
  napi_value argv[] = {out.Number(KIND_STRAYS), out.Text(id), batch, out.Number(known)};
  self->Call(self->callback_, out, 4, argv);
}

void Manager::OnActive(pm_manager_t *m, bool active) {
  Manager *self = From(m);
  if (self->exiting_) return;
  Napi::HandleScope handles(self->Env());
  Writer out(self->Env());
  napi_value argv[] = {out.Number(KIND_ACTIVE), out.Undefined(), out.Boolean(active)};
  self->Hold(); /* for the call, also when this ends the object's activity */
  self->SetAlive(active);
  self->Call(self->callback_, out, 3, argv);
  self->Release();
}

void Manager::OnDone(void *arg, bool result) {
  Pending *pending = static_cast<Pending *>(arg);
  Manager *self = pending->owner;
  if (!self->exiting_) self->Resolve(pending->resolve, result);
  delete pending;
  self->Release();
}

} // namespace binding
