/*
 * JavaScript values in, callbacks out. Nothing in the binding decides anything:
 * a method converts its arguments, makes one call of pm.h and converts the
 * answer.
 *
 * State lives in objects of one environment, so that the addon may be loaded in
 * any number of threads. Once an environment ends, or JavaScript may not run for
 * another reason, calls of Node-API fail; the code then leaves quietly.
 */
#include "binding/keeper.h"
#include "binding/manager.h"
#include "binding/sampler.h"

#include <new>

using namespace binding;

/* Names of the kinds, in their order. */
static const char *const kind_names[] = {"spawn",  "exit",  "error",    "restart", "backoff", "queued",
                                         "stop",   "drain", "limit",    "logged",  "metrics", "warning",
                                         "output", "lines", "messages", "strays",  "active"};
static_assert(sizeof(kind_names) / sizeof(kind_names[0]) == KIND_COUNT, "each kind has a name");

/* The table of options, for JavaScript to check types by. */
static napi_value Options(Writer &out) {
  static const char *const types[] = {"integer", "number", "boolean", "choice"};
  Collected rows = {out, out.Array(), 0};
  for (const pm_option_t &option : pm_option_table) {
    napi_value row = out.Object();
    out.Property(row, "name", out.Word(option.name));
    out.Property(row, "type", out.Word(types[option.type]));
    out.Property(row, "perProcess", out.Boolean(option.per_process));
    rows.Add(row);
  }
  return rows.array;
}

/* Whether this process will end with that one; false if it has ended. */
static Napi::Value EndWithHost(const Napi::CallbackInfo &info) {
  int r = info[0].IsNumber() ? pm_end_with_host(info[0].As<Napi::Number>().Int32Value()) : UV_EINVAL;
  if (r != 0 && r != UV_ESRCH) {
    Napi::Error error = Napi::Error::New(info.Env(), uv_strerror(r));
    error.Set("code", uv_err_name(r));
    error.ThrowAsJavaScriptException();
  }
  return Napi::Boolean::New(info.Env(), r == 0);
}

static Napi::Object Init(Napi::Env env, Napi::Object exports) {
  Writer out(env);
  if (pm_check_libuv() != 0) {
    Napi::Error error = Napi::Error::New(
        env, "mcp-process-manager was compiled for another libuv than the one that is running: rebuild it");
    error.Set("code", "ERR_LIBUV_MISMATCH");
    error.ThrowAsJavaScriptException();
    return exports;
  }
  env.SetInstanceData(new (std::nothrow) Keeper());
  Collected kinds = {out, out.Array(), 0};
  for (const char *name : kind_names)
    kinds.Add(out.Word(name));
  napi_value listen = out.Object();
  out.Property(listen, "stdout", out.Number(PM_LISTEN_STDOUT));
  out.Property(listen, "stderr", out.Number(PM_LISTEN_STDERR));
  out.Property(listen, "line", out.Number(PM_LISTEN_LINES));
  out.Property(listen, "message", out.Number(PM_LISTEN_MESSAGES));
  out.Property(listen, "stray", out.Number(PM_LISTEN_STRAY));
  out.Property(listen, "metrics", out.Number(PM_LISTEN_METRICS));
  Collected figures = {out, out.Array(), 0};
  for (const char *name : pm_figure_names)
    figures.Add(out.Word(name));
  out.Property(exports, "figures", figures.array);
  out.Property(exports, "kinds", kinds.array);
  out.Property(exports, "listen", listen);
  out.Property(exports, "options", Options(out));
  out.Property(exports, "Manager", Manager::Define(env));
  out.Property(exports, "Sampler", Sampler::Define(env));
  exports.Set("endWithHost", Napi::Function::New(env, EndWithHost, "endWithHost"));
  return exports;
}

NODE_API_MODULE(NODE_GYP_MODULE_NAME, Init)
