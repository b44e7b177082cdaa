/* The methods by which JavaScript asks what processes use. */
#include "manager.h"
#include "measuring.h"
#include "reporting.h"
#include "snapshot.h"

#include <initializer_list>
#include <string>

namespace binding {

/* (id, pss): a promise of more figures, or of undefined for an unknown id. */
Napi::Value Manager::Measure(const Napi::CallbackInfo &info) {
  Reader in(info.Env());
  bool pss = in.Boolean(info[1]);
  if (in.error() != nullptr) return Throw(in.error());
  Id id(info.Env(), info[0]);
  pm_str_t text = id;
  return Measuring<Manager, std::string>::Begin(this, std::string(text.base, text.len), pss);
}

int Manager::Prepare(const std::string &id, bool pss, pm_measure_t **out) {
  return m_ == nullptr ? UV_ENOENT : pm_process_measure(m_, {id.data(), id.size()}, pss, out);
}

/* (id, since, window, start, all); since (ms since the epoch), window (ms) and start may be
 * undefined: [min, mean and max of cpu, memory, processes and threads, how many samples, a
 * buffer with the samples if all are wanted], or undefined for an unknown id. */
Napi::Value Manager::History(const Napi::CallbackInfo &info) {
  Reader in(info.Env());
  Writer out(info.Env());
  pm_history_query_t query = {};
  pm_history_summary_t sum = {};
  Gathered samples;
  auto read = [&](napi_value value, double factor, bool *has, uint64_t *number) {
    *has = in.Type(value) != napi_undefined;
    if (*has) *number = static_cast<uint64_t>(in.Number(value) * factor + 0.5);
  };
  read(info[1], 1000, &query.has_since, &query.since);
  read(info[2], 1000, &query.has_window, &query.window);
  read(info[3], 1, &query.has_start, &query.start);
  bool all = in.Boolean(info[4]);
  if (in.error() != nullptr) return Throw(in.error());
  auto each = [](void *arg, const pm_history_sample_t *s) {
    const double values[] = {static_cast<double>(s->time) / 1000,
                             static_cast<double>(s->span) / 1000,
                             static_cast<double>(s->start),
                             s->cpu,
                             s->memory,
                             static_cast<double>(s->processes),
                             static_cast<double>(s->threads)};
    static_cast<Gathered *>(arg)->Add(values, sizeof(values));
  };
  Id id(info.Env(), info[0]);
  int r = m_ == nullptr ? UV_ENOENT : pm_process_history(m_, id, &query, all ? +each : nullptr, &samples, &sum);
  if (r == UV_ENOENT) return info.Env().Undefined();
  Collected values = {out, out.Array(), 0};
  for (const pm_range_t &range : {sum.cpu, sum.memory, sum.processes, sum.threads}) {
    for (double value : {range.min, range.mean, range.max})
      values.Add(out.Number(value));
  }
  values.Add(out.Number(static_cast<double>(sum.count)));
  values.Add(out.ArrayBuffer(samples.bytes()));
  return samples.failed() ? Throw(&memory_error) : Result(values.array);
}

bool Manager::HasRoomForLives(size_t count) {
  if (count <= lives_room_) return true;
  uint64_t *lives = static_cast<uint64_t *>(std::realloc(lives_, count * sizeof(*lives)));
  if (lives == nullptr) return false;
  std::memset(lives + lives_room_, 0, (count - lives_room_) * sizeof(*lives));
  lives_ = lives;
  lives_room_ = count;
  return true;
}

/* In the order of the snapshot, which seldom changes from one to the next. */
napi_value Manager::Names(Writer &out, const pm_snapshot_t *snapshot) {
  const size_t count = pm_snapshot_count(snapshot);
  if (names_.IsEmpty()) names_ = Napi::Persistent(Napi::Object(Env(), out.Array()));
  napi_value names = names_.Value();
  for (size_t i = 0; i < count && out.ok(); i++) {
    const pm_snapshot_entry_t entry = pm_snapshot_at(snapshot, i);
    if (lives_[i] == entry.life) continue;
    out.Element(names, static_cast<uint32_t>(i), out.Text(entry.id));
    lives_[i] = out.ok() ? entry.life : 0;
  }
  return names;
}

/* (snapshot): [ids, of which there may be more, a buffer with a pid and the numbers of each]. */
Napi::Value Manager::SnapshotAll(const Napi::CallbackInfo &info) {
  const pm_snapshot_t *snapshot = Snapshot::Of(info.Env(), info[0]);
  Writer out(info.Env());
  if (snapshot == nullptr) return Throw(&argument_error);
  if (!HasRoomForLives(pm_snapshot_count(snapshot))) return Throw(&memory_error);
  Collected values = {out, out.Array(), 0};
  values.Add(Names(out, snapshot));
  values.Add(Snapshot::Numbers(out, snapshot));
  return Result(values.array);
}

/* (snapshot, id): whether it is in it; then a pid and the numbers are in "numbers". */
Napi::Value Manager::SnapshotOf(const Napi::CallbackInfo &info) {
  const pm_snapshot_t *snapshot = Snapshot::Of(info.Env(), info[0]);
  Writer out(info.Env());
  if (snapshot == nullptr) return Throw(&argument_error);
  return Result(out.Boolean(Snapshot::Find(snapshot, Id(info.Env(), info[1]), numbers_)));
}

/* (as text): a promise of what monitoring systems are told of all processes, as text or as
 * values; undefined once it is closed. One after the other. */
Napi::Value Manager::Report(const Napi::CallbackInfo &info) {
  Reader in(info.Env());
  bool as_text = in.Boolean(info[0]);
  if (in.error() != nullptr) return Throw(in.error());
  return Reporting::Ask(this, as_text);
}

/* UV_ECANCELED: it is closed. */
int Manager::BeginReport(pm_report_t **out) {
  return m_ == nullptr ? UV_ECANCELED : pm_manager_report(m_, out);
}

/* The engine may have been closed meanwhile. */
void Manager::EndReport(pm_report_t *report) {
  pm_report_end(m_, report);
}

} // namespace binding
