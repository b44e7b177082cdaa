/* Metrics of any process, by pid: the object behind ProcessMetrics. */
#ifndef PM_BINDING_SAMPLER_H
#define PM_BINDING_SAMPLER_H

#include <napi.h>
#include <uv.h>

#include "../pm.h"
#include "values.h"

namespace binding {

const napi_type_tag sampler_tag = {0x2f8ab7e4c05d4163, 0xb1d97e3a60f24c85};

class Sampler : public Napi::ObjectWrap<Sampler> {
public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "NativeSampler", {InstanceMethod<&Sampler::Read>("read")});
  }

  static Sampler *Unwrap(Napi::Object object) {
    bool ours = false;
    napi_status status = napi_check_object_type_tag(object.Env(), object, &sampler_tag, &ours);
    return status == napi_ok && ours ? Napi::ObjectWrap<Sampler>::Unwrap(object) : nullptr;
  }

  explicit Sampler(const Napi::CallbackInfo &info) : Napi::ObjectWrap<Sampler>(info), sampler_(pm_sampler_new()) {
    napi_type_tag_object(info.Env(), info.This(), &sampler_tag);
    if (sampler_ == nullptr) Napi::Error::New(info.Env(), "out of memory").ThrowAsJavaScriptException();
  }

  ~Sampler() override {
    if (sampler_ != nullptr) pm_sampler_free(sampler_);
  }

  /* (pid): [cpu, memory], zeros for a process that cannot be read. */
  Napi::Value Read(const Napi::CallbackInfo &info) {
    Reader in(info.Env());
    Writer out(info.Env());
    double cpu = 0, memory = 0;
    double pid = in.Number(info[0]);
    if (in.error() != nullptr || pm_sampler_read(sampler_, static_cast<int>(pid), &cpu, &memory) != 0) cpu = memory = 0;
    Collected pair = {out, out.Array(), 0};
    pair.Add(out.Number(cpu));
    pair.Add(out.Number(memory));
    return Napi::Value(info.Env(), pair.array);
  }

private:
  pm_sampler_t *sampler_;
};

} // namespace binding

#endif // PM_BINDING_SAMPLER_H
