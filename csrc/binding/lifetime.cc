/*
 * How the object of a manager comes and goes. It is collected like any other
 * object, unless something is alive or awaited; what it leaves is closed on the
 * loop. An environment that ends waits for that.
 */
#include "keeper.h"
#include "manager.h"

#include <new>

namespace binding {

Manager::Manager(const Napi::CallbackInfo &info) : Napi::ObjectWrap<Manager>(info) {
  if (info.Env().IsExceptionPending()) return;
  make_error_ = Napi::Persistent(info[1].As<Napi::Function>());
  /* A strong reference to the callback would keep all that it closes over, the
   * manager included, for ever. So it hangs on the object, which is strong
   * while there is something to call about. */
  callback_ = Napi::Weak(info[0].As<Napi::Function>());
  Value().DefineProperty(Napi::PropertyDescriptor::Value("callback", info[0]));
  napi_type_tag_object(info.Env(), info.This(), &manager_tag);
  Napi::Uint32Array ends = Napi::Uint32Array::New(info.Env(), Writer::MOST_ENDS);
  if (info.Env().IsExceptionPending()) return;
  ends_ = ends.Data();
  Value().DefineProperty(Napi::PropertyDescriptor::Value("ends", ends, napi_enumerable));
  Napi::Float64Array numbers = Napi::Float64Array::New(info.Env(), NUMBERS_LENGTH);
  Napi::Array words = Napi::Array::New(info.Env());
  if (info.Env().IsExceptionPending()) return;
  numbers_ = numbers.Data();
  words_ = Napi::Weak(words.As<Napi::Object>());
  Value().DefineProperty(Napi::PropertyDescriptor::Value("numbers", numbers, napi_enumerable));
  Value().DefineProperty(Napi::PropertyDescriptor::Value("words", words, napi_enumerable));
  const pm_error_t *error = Open(info);
  if (error != nullptr) Throw(error);
}

/* Collected, so nothing is alive or awaited. */
Manager::~Manager() {
  std::free(lives_);
  if (closing_ != nullptr) closing_->owner = nullptr;
  if (m_ != nullptr) BeginClose();
}

const pm_error_t *Manager::Open(const Napi::CallbackInfo &info) {
  static const pm_callbacks_t callbacks = {OnEvent, OnOutput, OnLines, OnMessages, OnStrays, OnActive};
  Reader in(info.Env());
  pm_manager_config_t config = {};
  uv_loop_t *loop = nullptr;
  pm_options_init(&options_);
  const pm_error_t *error = ReadOptions(in, info[2], "options", &options_);
  if (error != nullptr) return error;
  config.options = options_;
  config.allowed_commands = in.Texts(info[3], &config.allowed_command_count);
  config.portable = in.Boolean(info[4]);
  if (in.error() != nullptr) return in.error();
  if (!config.portable) {
    const Keeper *keeper = info.Env().GetInstanceData<Keeper>();
    config.keeper = keeper == nullptr ? nullptr : keeper->get();
    config.keeperless = keeper == nullptr ? &memory_error : keeper->error();
  }

  if (napi_get_uv_event_loop(info.Env(), &loop) != napi_ok) return Failure(UV_ENOTSUP);
  closing_ = new (std::nothrow) Closing{this, nullptr, {}};
  if (closing_ == nullptr) return &memory_error;
  int r = UV_ENOMEM;
  if (napi_add_async_cleanup_hook(info.Env(), OnEnvEnd, closing_, &closing_->hook) != napi_ok) goto no_hook;
  r = pm_manager_new(loop, &config, &callbacks, this, &m_);
  if (r != 0) goto no_manager;
  backend_ = pm_manager_backend(m_);
  return nullptr;

no_manager:
  m_ = nullptr;
  napi_remove_async_cleanup_hook(closing_->hook);
no_hook:
  delete closing_;
  closing_ = nullptr;
  return Failure(r);
}

void Manager::SetAlive(bool alive) {
  if (alive == alive_) return;
  alive_ = alive;
  if (alive) {
    Hold();
  } else {
    Release();
  }
}

/* Keeps the object, and an asynchronous context for what calls out. */
void Manager::Hold() {
  if (holds_++ > 0) return;
  Napi::HandleScope handles(Env());
  Writer out(Env());
  Ref();
  napi_value name = out.Word("ProcessManager");
  if (!out.ok() || napi_async_init(Env(), Value(), name, &context_) != napi_ok) context_ = nullptr;
}

void Manager::Release() {
  if (--holds_ > 0) return;
  Napi::HandleScope handles(Env());
  if (context_ != nullptr) napi_async_destroy(Env(), context_);
  context_ = nullptr;
  Unref();
}

/* The engine answers what is pending from within the call, and frees itself
 * later; m_ is gone before, so that no method finds it half closed. */
void Manager::BeginClose() {
  pm_manager_t *m = m_;
  backend_ = pm_manager_backend(m);
  m_ = nullptr;
  pm_manager_close(m, OnClosed, closing_);
}

void Manager::OnClosed(void *arg) {
  Closing *closing = static_cast<Closing *>(arg);
  Manager *self = closing->owner;
  if (self != nullptr) {
    Napi::HandleScope handles(self->Env());
    self->closing_ = nullptr;
    self->SetAlive(false);
    if (!closing->resolve.IsEmpty()) {
      if (!self->exiting_) self->Resolve(closing->resolve, true);
      self->Release();
    }
  }
  napi_async_cleanup_hook_handle hook = closing->hook;
  delete closing;
  /* An environment that ends has been waiting for this. */
  napi_remove_async_cleanup_hook(hook);
}

void Manager::OnEnvEnd(napi_async_cleanup_hook_handle, void *arg) {
  Manager *self = static_cast<Closing *>(arg)->owner;
  if (self != nullptr) {
    self->exiting_ = true;
    self->awaited_.End();
  }
  /* Otherwise it is being closed already. */
  if (self != nullptr && self->m_ != nullptr) self->BeginClose();
}

} // namespace binding
