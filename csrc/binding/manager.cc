/* The methods that JavaScript calls. */
#include "manager.h"
#include <climits>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <initializer_list>
#include <new>

namespace binding {

static const pm_error_t closed_error = {UV_ECANCELED, "ERR_MANAGER_CLOSED",   nullptr, "Error",
                                        "",           "The manager is closed"};

Napi::Function Manager::Define(Napi::Env env) {
  return DefineClass(env, "NativeManager",
                     {
                         InstanceMethod<&Manager::Spawn>("spawn"),
                         InstanceMethod<&Manager::Stop>("stop"),
                         InstanceMethod<&Manager::Restart>("restart"),
                         InstanceMethod<&Manager::Signal>("signal"),
                         InstanceMethod<&Manager::Status>("status"),
                         InstanceMethod<&Manager::Measure>("measure"),
                         InstanceMethod<&Manager::List>("list"),
                         InstanceMethod<&Manager::Logs>("logs"),
                         InstanceMethod<&Manager::QueryLog>("queryLog"),
                         InstanceMethod<&Manager::WatchLog>("watchLog"),
                         InstanceMethod<&Manager::Pause>("pause"),
                         InstanceMethod<&Manager::Write>("write"),
                         InstanceMethod<&Manager::Send>("send"),
                         InstanceMethod<&Manager::CloseStdin>("closeStdin"),
                         InstanceMethod<&Manager::Remove>("remove"),
                         InstanceMethod<&Manager::Listen>("listen"),
                         InstanceMethod<&Manager::RefuseNew>("refuseNew"),
                         InstanceMethod<&Manager::KillAll>("killAll"),
                         InstanceMethod<&Manager::Close>("close"),
                         InstanceMethod<&Manager::KeepLoop>("ref"),
                         InstanceMethod<&Manager::LeaveLoop>("unref"),
                         InstanceMethod<&Manager::HasRef>("hasRef"),
                         InstanceMethod<&Manager::Backend>("backend"),
                         InstanceMethod<&Manager::History>("history"),
                         InstanceMethod<&Manager::Report>("report"),
                         InstanceMethod<&Manager::SnapshotAll>("snapshotAll"),
                         InstanceMethod<&Manager::SnapshotOf>("snapshotOf"),
                     });
}

/* ---- arguments ---- */

/* values: one for each row of pm_option_table, undefined where none was given. */
const pm_error_t *Manager::ReadOptions(Reader &in, napi_value values, const char *where, pm_options_t *out) {
  if (in.Type(values) == napi_undefined) return in.error();
  for (int i = 0; i < PM_OPT_COUNT; i++) {
    pm_option_index_t index = static_cast<pm_option_index_t>(i);
    pm_option_type_t type = pm_option_table[i].type;
    napi_value value = in.Element(values, i);
    int r = 0;
    if (in.error() != nullptr) return in.error();
    if (in.Type(value) == napi_undefined) continue;
    if (type == PM_OPTION_CHOICE) {
      r = pm_options_set_choice(out, index, in.Text(value), where, &error_);
    } else {
      double number = type == PM_OPTION_BOOLEAN ? in.Boolean(value) : in.Number(value);
      r = pm_options_set_number(out, index, number, where, &error_);
    }
    if (in.error() != nullptr) return in.error();
    if (r != 0) return &error_;
  }
  return nullptr;
}

/* (…, lines, since, streams, start, search); since, start and search may be undefined */
const pm_error_t *Manager::ReadQuery(Reader &in, const Napi::CallbackInfo &info, pm_log_query_t *out) {
  double lines = in.Number(info[1]);
  out->lines = lines < 4294967295.0 ? static_cast<size_t>(lines) : SIZE_MAX;
  out->has_since = in.Type(info[2]) != napi_undefined;
  if (out->has_since) out->since = static_cast<uint64_t>(in.Number(info[2]));
  out->streams = static_cast<unsigned>(in.Number(info[3]));
  out->has_start = in.Type(info[4]) != napi_undefined;
  if (out->has_start) out->start = static_cast<uint64_t>(in.Number(info[4]));
  out->search = in.Text(info[5]);
  return in.error();
}

/* (id, command, workingDir, inherit, [args, hostEnv, env, allowUnsafeEnv, logFile], options) */
const pm_error_t *Manager::ReadConfig(Reader &in, const Napi::CallbackInfo &info, pm_config_t *out) {
  napi_value inherit = info[3], lists = info[4];
  out->id = in.Text(info[0]);
  out->command = in.Text(info[1]);
  out->working_dir = in.Text(info[2]);
  switch (in.Type(inherit)) {
  case napi_boolean:
    out->inherit = in.Boolean(inherit) ? PM_INHERIT_ALL : PM_INHERIT_NONE;
    break;
  case napi_string:
    out->inherit = PM_INHERIT_SAFE;
    break;
  default:
    out->inherit = PM_INHERIT_NAMES;
    out->inherit_names = in.Texts(inherit, &out->inherit_name_count);
  }
  out->args = in.Texts(in.Element(lists, 0), &out->arg_count);
  out->host_env = in.HostVariables(in.Element(lists, 1), &out->host_env_count);
  out->env = in.Variables(in.Element(lists, 2), &out->env_count);
  out->allow_unsafe_env = in.Texts(in.Element(lists, 3), &out->allow_unsafe_env_count);
  out->log_file = in.Text(in.Element(lists, 4));
  out->options = options_;
  return ReadOptions(in, info[5], "config", &out->options);
}

/* ---- its methods ---- */

Napi::Value Manager::Spawn(const Napi::CallbackInfo &info) {
  Reader in(info.Env());
  Writer out(info.Env());
  pm_config_t config = {};
  pm_str_t id;
  if (m_ == nullptr) return Throw(&closed_error);
  const pm_error_t *error = ReadConfig(in, info, &config);
  if (error != nullptr) return Throw(error);
  if (pm_process_spawn(m_, &config, &id, &error_) != 0) return Throw(&error_);
  return Result(out.Text(id));
}

/* (id, timeout, resolve): false for an unknown id, else resolve is called. */
Napi::Value Manager::Stop(const Napi::CallbackInfo &info) {
  Reader in(info.Env());
  double timeout = in.Number(info[1]);
  if (in.error() != nullptr) return Throw(in.error());
  Pending *pending = NewPending(info[2]);
  if (pending == nullptr) return Throw(&memory_error);
  int r = m_ == nullptr ? UV_ENOENT : pm_process_stop(m_, Id(info.Env(), info[0]), timeout, OnDone, pending);
  return Await(pending, r, r == 0 ? nullptr : Failure(r));
}

/* (id, resolve): false for an unknown id, else resolve is called. */
Napi::Value Manager::Restart(const Napi::CallbackInfo &info) {
  Pending *pending = NewPending(info[1]);
  if (pending == nullptr) return Throw(&memory_error);
  int r = m_ == nullptr ? UV_ENOENT : pm_process_restart(m_, Id(info.Env(), info[0]), OnDone, pending, &error_);
  return Await(pending, r, &error_);
}

/* (id, name or number, tree): whether it was handed over, or undefined if there
 * is no such signal. */
Napi::Value Manager::Signal(const Napi::CallbackInfo &info) {
  Reader in(info.Env());
  Writer out(info.Env());
  double number = in.Type(info[1]) == napi_string ? pm_signal_number(in.Text(info[1])) : in.Number(info[1]);
  bool tree = in.Boolean(info[2]);
  if (in.error() != nullptr) return Throw(in.error());
  if (!(number >= 1 && number <= INT_MAX)) return info.Env().Undefined();
  int signum = static_cast<int>(number);
  int r = m_ == nullptr ? UV_ENOENT : pm_process_signal(m_, Id(info.Env(), info[0]), signum, tree);
  if (r == UV_EINVAL) return info.Env().Undefined();
  return r == 0 || r == UV_ENOENT || r == UV_ESRCH ? Result(out.Boolean(r == 0)) : Throw(Failure(r));
}

/* (id): the error or null, with the rest in "numbers", of which the first is a place in "words"; undefined for an
 * unknown id. To make a value costs more than all that it tells of: there is none but these. */
Napi::Value Manager::Status(const Napi::CallbackInfo &info) {
  Writer out(info.Env());
  pm_status_t s;
  if (m_ == nullptr || pm_process_status(m_, Id(info.Env(), info[0]), &s) != 0) return info.Env().Undefined();
  napi_value error = s.error == nullptr ? out.Null() : MakeError(out, s.error);
  double *at = numbers_;
  for (double number :
       {static_cast<double>(WordsOf(out, &s)), static_cast<double>(s.pid), s.uptime, s.cpu, s.memory, s.own_cpu,
        s.own_memory, static_cast<double>(s.processes), static_cast<double>(s.restarts),
        static_cast<double>(s.queue_position), static_cast<double>(s.exit_code), static_cast<double>(s.paused)})
    *at++ = number;
  for (const pm_stream_status_t &stream : s.streams) {
    for (uint64_t count : {stream.lines, stream.bytes, stream.dropped, stream.cut})
      *at++ = static_cast<double>(count);
  }
  return Result(out.ok() ? error : nullptr);
}

/* Their place, which is made if it is not there; the last one time and again when there are more than are kept. */
uint32_t Manager::WordsOf(Writer &out, const pm_status_t *s) {
  for (uint32_t i = 0; i < word_count_; i++) {
    const StatusWords &known = known_words_[i];
    if (known.status == s->status && known.state == s->state && known.containment == s->containment &&
        known.exit_signal == s->exit_signal)
      return i;
  }
  uint32_t place = word_count_ < MOST_WORDS ? word_count_ : MOST_WORDS - 1;
  Collected words = {out, out.Array(), 0};
  for (const char *word : {s->status, s->state, s->containment, s->exit_signal})
    words.Add(out.Word(word));
  out.Element(words_.Value(), place, words.array);
  if (!out.ok()) return place;
  known_words_[place] = {s->status, s->state, s->containment, s->exit_signal};
  word_count_ = place + 1;
  return place;
}

/* (): rows. */
Napi::Value Manager::List(const Napi::CallbackInfo &info) {
  Writer out(info.Env());
  Collected rows = {out, out.Array(), 0};
  auto each = [](void *arg, const pm_status_t *status) {
    Collected *rows = static_cast<Collected *>(arg);
    rows->Add(Row(rows->out, status));
  };
  if (m_ != nullptr) pm_manager_list(m_, each, &rows);
  return Result(rows.array);
}

/* (id, lines): [texts of stdout, texts of stderr], or undefined for an unknown id. */
Napi::Value Manager::Logs(const Napi::CallbackInfo &info) {
  Reader in(info.Env());
  Writer out(info.Env());
  double lines = in.Number(info[1]);
  size_t most = lines < 4294967295.0 ? static_cast<size_t>(lines) : SIZE_MAX;
  Id id(info.Env(), info[0]);
  auto each = [](void *arg, pm_str_t line) { static_cast<Texts *>(arg)->Add(line); };
  if (in.error() != nullptr) return Throw(in.error());
  Collected both = {out, out.Array(), 0};
  for (int i = PM_STDOUT; i < PM_STREAM_COUNT; i++) {
    Texts texts(out);
    int r = m_ == nullptr ? UV_ENOENT : pm_process_logs(m_, id, static_cast<pm_stream_t>(i), most, each, &texts);
    if (r == UV_ENOENT) return info.Env().Undefined();
    napi_value pieces = texts.End();
    both.Add(pieces);
    if (r != 0 || pieces == nullptr || !out.ok()) return Throw(Failure(r != 0 ? r : UV_ENOMEM));
  }
  return Result(both.array);
}

struct Records {
  Texts texts;
  Collected numbers;
};

/* (id, lines, since, streams, start, search): [texts, [seq, time in ms, start, stream, …],
 * seq of the newest line there is, whether the process has ended, its number among all
 * there have been], or undefined for an unknown id. */
Napi::Value Manager::QueryLog(const Napi::CallbackInfo &info) {
  Reader in(info.Env());
  Writer out(info.Env());
  pm_log_query_t query = {};
  pm_log_answer_t answer = {};
  Records records = {Texts(out), {out, out.Array(), 0}};
  auto each = [](void *arg, const pm_log_line_t *line) {
    Records *records = static_cast<Records *>(arg);
    records->texts.Add(line->text);
    for (double number : {static_cast<double>(line->seq), static_cast<double>(line->time) / 1000,
                          static_cast<double>(line->start), static_cast<double>(line->stream)})
      records->numbers.Add(records->numbers.out.Number(number));
  };
  const pm_error_t *error = ReadQuery(in, info, &query);
  if (error != nullptr) return Throw(error);
  int r =
      m_ == nullptr ? UV_ENOENT : pm_process_log_query(m_, Id(info.Env(), info[0]), &query, each, &records, &answer);
  if (r == UV_ENOENT) return info.Env().Undefined();
  Collected values = {out, out.Array(), 0};
  napi_value texts = records.texts.End();
  values.Add(texts);
  values.Add(records.numbers.array);
  values.Add(out.Number(static_cast<double>(answer.last_seq)));
  values.Add(out.Boolean(answer.ended));
  values.Add(out.Number(static_cast<double>(answer.life)));
  if (r != 0 || texts == nullptr || !out.ok()) return Throw(Failure(r != 0 ? r : UV_ENOMEM));
  return Result(values.array);
}

/* (id, seq): whether a "logged" will come; false for an unknown id. */
Napi::Value Manager::WatchLog(const Napi::CallbackInfo &info) {
  Reader in(info.Env());
  Writer out(info.Env());
  double seq = in.Number(info[1]);
  if (in.error() != nullptr) return Throw(in.error());
  Id id(info.Env(), info[0]);
  return Result(out.Boolean(m_ != nullptr && pm_process_log_watch(m_, id, static_cast<uint64_t>(seq)) == 0));
}

/* (id, paused): whether that is so now; false for an unknown id, or when nothing runs. */
Napi::Value Manager::Pause(const Napi::CallbackInfo &info) {
  Reader in(info.Env());
  Writer out(info.Env());
  bool paused = in.Boolean(info[1]);
  if (in.error() != nullptr) return Throw(in.error());
  int r = m_ == nullptr ? UV_ENOENT : pm_process_pause(m_, Id(info.Env(), info[0]), paused);
  return r == 0 || r == UV_ENOENT || r == UV_ESRCH ? Result(out.Boolean(r == 0)) : Throw(Failure(r));
}

/* (id, string or Uint8Array): whether it takes more, or undefined for an unknown id. */
Napi::Value Manager::Put(const Napi::CallbackInfo &info, PutFunction put) {
  Reader in(info.Env());
  Writer out(info.Env());
  pm_str_t data = in.Bytes(info[1]);
  bool ready = false;
  if (in.error() != nullptr) return Throw(in.error());
  int r = m_ == nullptr ? UV_ENOENT : put(m_, Id(info.Env(), info[0]), data, &ready, &error_);
  if (r == UV_ENOENT) return info.Env().Undefined();
  return r == 0 ? Result(out.Boolean(ready)) : Throw(&error_);
}

Napi::Value Manager::Write(const Napi::CallbackInfo &info) {
  return Put(info, pm_process_write);
}

Napi::Value Manager::Send(const Napi::CallbackInfo &info) {
  return Put(info, pm_process_send);
}

/* (id): whether it is closed already, or undefined for an unknown id. */
Napi::Value Manager::CloseStdin(const Napi::CallbackInfo &info) {
  Writer out(info.Env());
  bool closed = false;
  int r = m_ == nullptr ? UV_ENOENT : pm_process_close_stdin(m_, Id(info.Env(), info[0]), &closed);
  return r == 0 ? Result(out.Boolean(closed)) : info.Env().Undefined();
}

/* (id): whether it was forgotten. */
Napi::Value Manager::Remove(const Napi::CallbackInfo &info) {
  Writer out(info.Env());
  return Result(out.Boolean(m_ != nullptr && pm_process_remove(m_, Id(info.Env(), info[0])) == 0));
}

/* (resolve): to be called once; resolve is called when nothing is left. */
void Manager::Close(const Napi::CallbackInfo &info) {
  if (m_ == nullptr) return;
  Hold();
  closing_->resolve = Napi::Persistent(info[0].As<Napi::Function>());
  BeginClose();
}

Napi::Value Manager::HasRef(const Napi::CallbackInfo &info) {
  return Napi::Boolean::New(info.Env(), ref_ && alive_);
}

Napi::Value Manager::Backend(const Napi::CallbackInfo &info) {
  return Napi::String::New(info.Env(), m_ != nullptr ? backend_ = pm_manager_backend(m_) : backend_);
}

void Manager::Listen(const Napi::CallbackInfo &info) {
  Reader in(info.Env());
  double mask = in.Number(info[0]);
  if (m_ != nullptr && in.error() == nullptr) pm_manager_listen(m_, static_cast<unsigned>(mask));
}

void Manager::RefuseNew(const Napi::CallbackInfo &) {
  if (m_ != nullptr) pm_manager_refuse_new(m_);
}

void Manager::KillAll(const Napi::CallbackInfo &) {
  if (m_ != nullptr) pm_manager_kill_all(m_);
}

void Manager::KeepLoop(const Napi::CallbackInfo &) {
  ref_ = true;
  if (m_ != nullptr) pm_manager_ref(m_);
}

void Manager::LeaveLoop(const Napi::CallbackInfo &) {
  ref_ = false;
  if (m_ != nullptr) pm_manager_unref(m_);
}

/* ---- answers ---- */

/* [id, command, pid, status, state, uptime, cpu, memory, restarts, exitCode, exitSignal, containment] */
napi_value Manager::Row(Writer &out, const pm_status_t *s) {
  napi_value values[ROW_LENGTH] = {
      out.Text(s->id),
      out.Text(s->command),
      out.Number(s->pid),
      out.Word(s->status),
      out.Word(s->state),
      out.Number(s->uptime),
      out.Number(s->cpu),
      out.Number(s->memory),
      out.Number(static_cast<double>(s->restarts)),
      s->exit_code < 0 ? out.Null() : out.Number(s->exit_code),
      out.Word(s->exit_signal),
      out.Word(s->containment),
  };
  napi_value row = out.Array();
  for (uint32_t i = 0; i < ROW_LENGTH; i++)
    out.Element(row, i, values[i]);
  return row;
}

/* An error of the caller's realm, made by its JavaScript. */
napi_value Manager::MakeError(Writer &out, const pm_error_t *error) {
  napi_value undefined = out.Undefined(), made = nullptr;
  napi_value argv[] = {
      out.Word(error->kind),  out.Word(error->code),    out.Word(error->message),
      out.Number(error->err), out.Word(error->syscall), error->path[0] == '\0' ? out.Null() : out.Word(error->path),
  };
  if (!out.ok()) return nullptr;
  return out.Keep(napi_call_function(Env(), undefined, make_error_.Value(), 6, argv, &made), made);
}

Napi::Value Manager::Throw(const pm_error_t *error) {
  Writer out(Env());
  napi_value made = MakeError(out, error);
  /* Else there is an exception already, or JavaScript may not run any more. */
  if (out.ok()) napi_throw(Env(), made);
  return Napi::Value();
}

Napi::Value Manager::Result(napi_value value) {
  return Napi::Value(Env(), value);
}

/* What a promise is rejected with. */
napi_value Manager::Rejection(int err) {
  Writer out(Env());
  return MakeError(out, Failure(err));
}

/* Puts a libuv code into words. */
const pm_error_t *Manager::Failure(int err) {
  std::memset(&error_, 0, sizeof(error_));
  error_.err = err;
  error_.code = uv_err_name(err);
  error_.kind = "Error";
  std::snprintf(error_.message, sizeof(error_.message), "%s", uv_strerror(err));
  return &error_;
}

Pending *Manager::NewPending(const Napi::Value &resolve) {
  return new (std::nothrow) Pending{this, Napi::Persistent(resolve.As<Napi::Function>())};
}

/* What a call answers that took pending, or did not (r). The object lives until
 * what was taken is settled. */
Napi::Value Manager::Await(Pending *pending, int r, const pm_error_t *error) {
  Writer out(Env());
  if (r == 0) {
    Hold();
  } else {
    delete pending;
  }
  return r == 0 || r == UV_ENOENT ? Result(out.Boolean(r == 0)) : Throw(error);
}

} // namespace binding
