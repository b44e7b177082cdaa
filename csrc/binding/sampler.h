/* Metrics of any process, by pid: the object behind ProcessMetrics. */
#ifndef PM_BINDING_SAMPLER_H
#define PM_BINDING_SAMPLER_H

#include <napi.h>
#include <uv.h>

#include <new>

#include "../pm.h"
#include "awaited.h"
#include "measuring.h"
#include "values.h"

namespace binding {

const napi_type_tag sampler_tag = {0x2f8ab7e4c05d4163, 0xb1d97e3a60f24c85};

class Sampler : public Napi::ObjectWrap<Sampler> {
public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "NativeSampler",
                       {InstanceMethod<&Sampler::Read>("read"), InstanceMethod<&Sampler::Measure>("measure")});
  }

  static Sampler *Unwrap(Napi::Object object) {
    bool ours = false;
    napi_status status = napi_check_object_type_tag(object.Env(), object, &sampler_tag, &ours);
    return status == napi_ok && ours ? Napi::ObjectWrap<Sampler>::Unwrap(object) : nullptr;
  }

  explicit Sampler(const Napi::CallbackInfo &info) : Napi::ObjectWrap<Sampler>(info), sampler_(pm_sampler_new()) {
    napi_type_tag_object(info.Env(), info.This(), &sampler_tag);
    if (sampler_ == nullptr) Napi::Error::New(info.Env(), "out of memory").ThrowAsJavaScriptException();
    napi_add_env_cleanup_hook(info.Env(), OnEnvEnd, &awaited_);
  }

  ~Sampler() override {
    napi_remove_env_cleanup_hook(Env(), OnEnvEnd, &awaited_);
    if (sampler_ != nullptr) pm_sampler_free(sampler_);
  }

  /* (pid): figures, or a promise of them; zeros for a process that cannot be read. */
  Napi::Value Read(const Napi::CallbackInfo &info) {
    Reader in(info.Env());
    double pid = in.Number(info[0]);
    if (in.error() != nullptr) return info.Env().Undefined();
    napi_value figures = Look(static_cast<int>(pid));
    if (figures != nullptr) return Napi::Value(info.Env(), figures);
    Promise promise(info.Env());
    if (promise) Turn::Begin(this, static_cast<int>(pid), promise);
    return promise.Value();
  }

  /* (pid, pss): a promise of more figures, or of undefined. */
  Napi::Value Measure(const Napi::CallbackInfo &info) {
    Reader in(info.Env());
    double pid = in.Number(info[0]);
    bool pss = in.Boolean(info[1]);
    if (in.error() != nullptr) return info.Env().Undefined();
    return Measuring<Sampler, int>::Begin(this, static_cast<int>(pid), pss);
  }

  AwaitedList *awaited() {
    return &awaited_;
  }

  int Prepare(int pid, bool pss, pm_measure_t **out) {
    return pm_sampler_measure(sampler_, pid, SLICE, pss, out);
  }

private:
  static constexpr double SLICE = 0.5; /* ms of the loop's time */

  /* What is left of a look goes on in another turn of the loop: a work of the thread
   * pool that does nothing brings it about. */
  class Turn : public Awaited {
  public:
    static void Begin(Sampler *owner, int pid, Promise promise) {
      Turn *turn = new (std::nothrow) Turn(owner, pid, promise);
      if (turn != nullptr) turn->Queue();
    }
    void Execute() override {
    }

  protected:
    void Done() override {
      napi_value figures = owner_->Look(pid_);
      if (figures == nullptr) {
        Begin(owner_, pid_, promise_);
      } else {
        promise_.Resolve(figures);
      }
    }

  private:
    Turn(Sampler *owner, int pid, Promise promise)
        : Awaited(owner->Env(), owner->awaited()), owner_(owner), object_(Napi::Persistent(owner->Value())), pid_(pid),
          promise_(promise) {
    }

    Sampler *owner_;
    Napi::ObjectReference object_;
    int pid_;
    Promise promise_;
  };

  static void OnEnvEnd(void *awaited) {
    static_cast<AwaitedList *>(awaited)->End();
  }

  /* NULL: it is not done. */
  napi_value Look(int pid) {
    Writer out(Env());
    pm_metrics_t found = {};
    if (pm_sampler_read(sampler_, pid, SLICE, &found) == UV_EAGAIN) return nullptr;
    Collected values = {out, out.Array(), 0};
    for (double value : Figures(found).values)
      values.Add(out.Number(value));
    return values.array;
  }

  pm_sampler_t *sampler_;
  AwaitedList awaited_;
};

} // namespace binding

#endif // PM_BINDING_SAMPLER_H
