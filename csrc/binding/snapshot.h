/* What a round of samples has seen, as a value that JavaScript only passes on: nothing of it
 * becomes JavaScript's before somebody asks. */
#ifndef PM_BINDING_SNAPSHOT_H
#define PM_BINDING_SNAPSHOT_H

#include <napi.h>

#include "../pm.h"
#include "values.h"

namespace binding {

class Snapshot {
public:
  /* What an event told of, kept until JavaScript's collector has been here. */
  static napi_value Keep(Writer &out, Napi::Env env, pm_snapshot_t *snapshot) {
    napi_value value = nullptr;
    pm_snapshot_ref(snapshot);
    napi_status status = napi_create_external(env, snapshot, Release, nullptr, &value);
    if (status != napi_ok) {
      pm_snapshot_unref(snapshot);
    } else {
      Account(env, static_cast<int64_t>(pm_snapshot_size(snapshot)));
    }
    return out.Keep(status, value);
  }

  /* NULL if value is none. */
  static pm_snapshot_t *Of(Napi::Env env, napi_value value) {
    void *snapshot = nullptr;
    return napi_get_value_external(env, value, &snapshot) == napi_ok ? static_cast<pm_snapshot_t *>(snapshot) : nullptr;
  }

  /* For each a pid and the numbers of Figures, in a buffer. */
  static napi_value Numbers(Writer &out, const pm_snapshot_t *snapshot) {
    double *at = nullptr;
    napi_value buffer = out.NewArrayBuffer(pm_snapshot_count(snapshot) * LENGTH * sizeof(*at), &at);
    for (size_t i = 0; buffer != nullptr && i < pm_snapshot_count(snapshot); i++, at += LENGTH)
      Put(pm_snapshot_at(snapshot, i), at);
    return buffer;
  }

  /* The same of one. False: it is not in it. */
  static bool Find(const pm_snapshot_t *snapshot, pm_str_t id, double *out) {
    pm_snapshot_entry_t entry;
    if (!pm_snapshot_find(snapshot, id, &entry)) return false;
    Put(entry, out);
    return true;
  }

private:
  enum { LENGTH = 1 + sizeof(Figures) / sizeof(double) };

  static void Put(const pm_snapshot_entry_t &entry, double *at) {
    const Figures figures(entry.metrics);
    at[0] = entry.pid;
    std::memcpy(at + 1, figures.values, sizeof(figures.values));
  }

  static void Account(Napi::Env env, int64_t change) {
    int64_t all = 0;
    napi_adjust_external_memory(env, change, &all);
  }

  static void Release(napi_env env, void *data, void *) {
    pm_snapshot_t *snapshot = static_cast<pm_snapshot_t *>(data);
    Account(env, -static_cast<int64_t>(pm_snapshot_size(snapshot)));
    pm_snapshot_unref(snapshot);
  }
};

} // namespace binding

#endif // PM_BINDING_SNAPSHOT_H
