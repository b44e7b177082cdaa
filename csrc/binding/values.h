/*
 * Conversion of values: a Reader for what one call brings from JavaScript, a
 * Writer for what one crossing hands to it. Both keep their first failure, so
 * that code using them looks once, at the end.
 */
#ifndef PM_BINDING_VALUES_H
#define PM_BINDING_VALUES_H

#include <node_api.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "../pm.h"

namespace binding {

inline const pm_error_t memory_error = {UV_ENOMEM, "ENOMEM", nullptr, "Error", "", "out of memory"};
inline const pm_error_t argument_error = {UV_EINVAL, "ERR_INVALID_ARG_TYPE",          nullptr, "TypeError",
                                          "",        "an argument has the wrong type"};

/* Strings are copied as UTF-8 into memory that lives as long as the reader. */
class Reader {
public:
  explicit Reader(napi_env env) : env_(env) {
  }
  Reader(const Reader &) = delete;
  Reader &operator=(const Reader &) = delete;

  ~Reader() {
    while (blocks_ != nullptr) {
      Block *next = blocks_->next;
      std::free(blocks_);
      blocks_ = next;
    }
  }

  /* NULL, or why it failed. */
  const pm_error_t *error() const {
    return error_;
  }

  /* Not given if value is no string. */
  pm_str_t Text(napi_value value) {
    size_t len = 0;
    size_t room = static_cast<size_t>(end_ - next_);
    napi_status status = napi_get_value_string_utf8(env_, value, next_, room, &len);
    if (status == napi_string_expected) return {nullptr, 0};
    /* A string that was cut ends less than one character before the end. */
    if (status == napi_ok && len + 4 >= room) status = TextInNewBlock(value, &len);
    if (status != napi_ok) {
      Fail(&argument_error);
      return {nullptr, 0};
    }
    pm_str_t text = {next_, len};
    next_ += len;
    return text;
  }

  /* Of a string, or of a Uint8Array, whose bytes are not copied. */
  pm_str_t Bytes(napi_value value) {
    napi_typedarray_type type;
    size_t len = 0;
    void *data = nullptr;
    if (napi_get_typedarray_info(env_, value, &type, &len, &data, nullptr, nullptr) == napi_ok)
      return {len == 0 ? "" : static_cast<const char *>(data), len};
    pm_str_t text = Text(value);
    if (text.base == nullptr) Fail(&argument_error);
    return text;
  }

  /* NULL and 0 if value is no array. */
  const pm_str_t *Texts(napi_value value, size_t *count) {
    uint32_t length = 0;
    *count = 0;
    if (napi_get_array_length(env_, value, &length) != napi_ok) return nullptr;
    pm_str_t *texts = static_cast<pm_str_t *>(Take((length + size_t{1}) * sizeof(pm_str_t)));
    if (texts == nullptr) return nullptr;
    for (uint32_t i = 0; i < length; i++)
      texts[i] = Text(Element(value, i));
    *count = length;
    return texts;
  }

  /* From [name, value, name, value, …]. */
  const pm_env_var_t *Variables(napi_value value, size_t *count) {
    uint32_t length = 0;
    *count = 0;
    if (napi_get_array_length(env_, value, &length) != napi_ok) return nullptr;
    pm_env_var_t *variables = static_cast<pm_env_var_t *>(Take((length / 2 + size_t{1}) * sizeof(pm_env_var_t)));
    if (variables == nullptr) return nullptr;
    for (uint32_t i = 0; i < length / 2; i++) {
      variables[i].name = Text(Element(value, 2 * i));
      variables[i].value = Text(Element(value, 2 * i + 1));
    }
    *count = length / 2;
    return variables;
  }

  /* The system's if value is true; else from one text "name\0value\0name\0value".
   * NULL and 0 if value is neither. */
  const pm_env_var_t *HostVariables(napi_value value, size_t *count) {
    bool is_systems = false;
    if (napi_get_value_bool(env_, value, &is_systems) == napi_ok && is_systems) return SystemVariables(count);
    pm_str_t text = Text(value);
    *count = 0;
    if (text.base == nullptr || text.len == 0) return nullptr;
    size_t parts = 1;
    for (size_t i = 0; i < text.len; i++)
      parts += text.base[i] == '\0';
    pm_env_var_t *variables = static_cast<pm_env_var_t *>(Take((parts / 2 + 1) * sizeof(pm_env_var_t)));
    if (variables == nullptr) return nullptr;
    for (size_t i = 0; i < parts / 2; i++) {
      variables[i].name = NextPart(&text);
      variables[i].value = NextPart(&text);
    }
    *count = parts / 2;
    return variables;
  }

  napi_value Element(napi_value array, uint32_t i) {
    napi_value element = nullptr;
    if (napi_get_element(env_, array, i, &element) != napi_ok) Fail(&argument_error);
    return element;
  }

  double Number(napi_value value) {
    double number = NAN;
    if (napi_get_value_double(env_, value, &number) != napi_ok) Fail(&argument_error);
    return number;
  }

  bool Boolean(napi_value value) {
    bool boolean = false;
    if (napi_get_value_bool(env_, value, &boolean) != napi_ok) Fail(&argument_error);
    return boolean;
  }

  napi_valuetype Type(napi_value value) {
    napi_valuetype type = napi_undefined;
    if (napi_typeof(env_, value, &type) != napi_ok) Fail(&argument_error);
    return type;
  }

private:
  struct Block {
    Block *next;
  };
  enum { BLOCK_SIZE = 64 * 1024 };

  /* Of environ(7), not copied. On the main thread only, which is the one that
   * changes it; what no "=" is in is no variable. */
  const pm_env_var_t *SystemVariables(size_t *count) {
    size_t most = 0;
    *count = 0;
    while (environ[most] != nullptr)
      most++;
    pm_env_var_t *variables = static_cast<pm_env_var_t *>(Take((most + 1) * sizeof(pm_env_var_t)));
    for (size_t i = 0; variables != nullptr && i < most; i++) {
      const char *equals = std::strchr(environ[i], '=');
      if (equals == nullptr) continue;
      size_t name_length = static_cast<size_t>(equals - environ[i]);
      variables[*count].name = {environ[i], name_length};
      variables[*count].value = {equals + 1, std::strlen(equals + 1)};
      *count += 1;
    }
    return variables;
  }

  /* What stands before the next NUL byte, which is taken off with it. */
  static pm_str_t NextPart(pm_str_t *text) {
    const void *nul = std::memchr(text->base, '\0', text->len);
    size_t len = nul == nullptr ? text->len : static_cast<size_t>(static_cast<const char *>(nul) - text->base);
    pm_str_t part = {text->base, len};
    size_t taken = nul == nullptr ? len : len + 1;
    *text = {text->base + taken, text->len - taken};
    return part;
  }

  void Fail(const pm_error_t *error) {
    if (error_ == nullptr) error_ = error;
  }

  /* Makes next_ the beginning of at least size free bytes. */
  bool Grow(size_t size) {
    size_t whole = sizeof(Block) + (size > BLOCK_SIZE ? size : static_cast<size_t>(BLOCK_SIZE));
    Block *block = static_cast<Block *>(std::malloc(whole));
    if (block == nullptr) {
      Fail(&memory_error);
      return false;
    }
    block->next = blocks_;
    blocks_ = block;
    next_ = reinterpret_cast<char *>(block + 1);
    end_ = reinterpret_cast<char *>(block) + whole;
    return true;
  }

  napi_status TextInNewBlock(napi_value value, size_t *len) {
    napi_status status = napi_get_value_string_utf8(env_, value, nullptr, 0, len);
    if (status != napi_ok || !Grow(*len + 1)) return status != napi_ok ? status : napi_generic_failure;
    return napi_get_value_string_utf8(env_, value, next_, *len + 1, len);
  }

  /* Memory aligned for structures of pointers. */
  void *Take(size_t size) {
    next_ += -reinterpret_cast<uintptr_t>(next_) & (alignof(pm_env_var_t) - 1);
    if (next_ > end_ || static_cast<size_t>(end_ - next_) < size) {
      if (!Grow(size)) return nullptr;
    }
    void *taken = next_;
    next_ += size;
    return taken;
  }

  napi_env env_;
  const pm_error_t *error_ = nullptr;
  Block *blocks_ = nullptr;
  alignas(pm_env_var_t) char first_[8 * 1024];
  char *next_ = first_;
  char *end_ = first_ + sizeof(first_);
};

/* The id of a process, for looking it up. What cannot be an id is read as the
 * empty string, which is none either. */
class Id {
public:
  Id(napi_env env, napi_value value) {
    size_t len = 0;
    napi_status status = napi_get_value_string_utf8(env, value, bytes_, sizeof(bytes_), &len);
    text_.len = status == napi_ok && len <= MAX ? len : 0;
  }
  Id(const Id &) = delete;
  Id &operator=(const Id &) = delete;

  operator pm_str_t() const {
    return text_;
  }

private:
  enum { MAX = 256 };
  char bytes_[MAX + 5]; /* a longer one is seen to be longer, whatever character it was cut in */
  pm_str_t text_ = {bytes_, 0};
};

/* Values made after a failure are NULL. */
class Writer {
public:
  /* Places for ends of lines. */
  enum { MOST_ENDS = 1024 };

  explicit Writer(napi_env env) : env_(env) {
  }

  bool ok() const {
    return ok_;
  }

  napi_value Undefined() {
    return Keep(napi_get_undefined(env_, &value_), value_);
  }
  napi_value Null() {
    return Keep(napi_get_null(env_, &value_), value_);
  }
  napi_value Number(double number) {
    return Keep(napi_create_double(env_, number, &value_), value_);
  }
  napi_value Boolean(bool boolean) {
    return Keep(napi_get_boolean(env_, boolean, &value_), value_);
  }

  /* undefined if it is not given. Invalid UTF-8 becomes U+FFFD. */
  napi_value Text(pm_str_t text, pm_encoding_t encoding = PM_ENCODING_UTF8) {
    if (text.base == nullptr) return Undefined();
    if (encoding == PM_ENCODING_BUFFER)
      return Keep(napi_create_buffer_copy(env_, text.len, text.base, nullptr, &value_), value_);
    if (encoding == PM_ENCODING_LATIN1 || pm_is_ascii(text.base, text.len))
      return Keep(napi_create_string_latin1(env_, text.base, text.len, &value_), value_);
    return Keep(napi_create_string_utf8(env_, text.base, text.len, &value_), value_);
  }

  /* Lines that lie in memory with one byte between them, as one string: that costs a
   * fraction of so many strings. Where each ends in it goes to ends, as far as bytes
   * are characters; *known is how many did. Else an array. */
  napi_value Lines(const pm_str_t *lines, size_t count, pm_encoding_t encoding, uint32_t *ends, uint32_t *known) {
    *known = 0;
    if (encoding == PM_ENCODING_BUFFER || !AreInOnePiece(lines, count)) return LineArray(lines, count, encoding);
    const char *base = lines[0].base;
    size_t len = static_cast<size_t>(lines[count - 1].base + lines[count - 1].len - base);
    if (count <= MOST_ENDS && (encoding == PM_ENCODING_LATIN1 || pm_is_ascii(base, len))) {
      for (size_t i = 0; i < count; i++)
        ends[i] = static_cast<uint32_t>(lines[i].base + lines[i].len - base);
      *known = static_cast<uint32_t>(count);
      encoding = PM_ENCODING_LATIN1;
    }
    return Text({base, len}, encoding);
  }

  /* null if there is none. */
  napi_value Word(const char *word) {
    return word == nullptr ? Null() : Text({word, std::strlen(word)});
  }

  napi_value ArrayBuffer(pm_str_t bytes) {
    char *data = nullptr;
    napi_value buffer = NewArrayBuffer(bytes.len, &data);
    if (buffer != nullptr && bytes.len > 0) std::memcpy(data, bytes.base, bytes.len);
    return buffer;
  }

  /* To be filled in. */
  template <typename T> napi_value NewArrayBuffer(size_t size, T **data) {
    void *bytes = nullptr;
    napi_value buffer = Keep(napi_create_arraybuffer(env_, size, &bytes, &value_), value_);
    *data = static_cast<T *>(bytes);
    return buffer;
  }

  napi_value Array() {
    return Keep(napi_create_array(env_, &value_), value_);
  }
  void Element(napi_value array, uint32_t i, napi_value element) {
    ok_ = ok_ && napi_set_element(env_, array, i, element) == napi_ok;
  }
  napi_value Object() {
    return Keep(napi_create_object(env_, &value_), value_);
  }
  void Property(napi_value object, const char *name, napi_value value) {
    ok_ = ok_ && napi_set_named_property(env_, object, name, value) == napi_ok;
  }

  /* Takes over a value that was made elsewhere, or did not come about. */
  napi_value Keep(napi_status status, const napi_value &value) {
    ok_ = ok_ && status == napi_ok;
    return ok_ ? value : nullptr;
  }

private:
  napi_value LineArray(const pm_str_t *lines, size_t count, pm_encoding_t encoding) {
    napi_value array = Array();
    for (size_t i = 0; i < count; i++)
      Element(array, static_cast<uint32_t>(i), Text(lines[i], encoding));
    return array;
  }

  /* As integers: they may be parts of different buffers. */
  static bool AreInOnePiece(const pm_str_t *lines, size_t count) {
    for (size_t i = 1; i < count; i++) {
      uintptr_t end = reinterpret_cast<uintptr_t>(lines[i - 1].base) + lines[i - 1].len;
      if (reinterpret_cast<uintptr_t>(lines[i].base) != end + 1) return false;
    }
    return count > 0;
  }

  napi_env env_;
  napi_value value_ = nullptr;
  bool ok_ = true;
};

/* Lists values in order, as the log lines of a stream come. */
struct Collected {
  Writer &out;
  napi_value array;
  uint32_t count;

  void Add(napi_value value) {
    out.Element(array, count++, value);
  }
};

/* Bytes put together. */
class Gathered {
public:
  Gathered() = default;
  Gathered(const Gathered &) = delete;
  Gathered &operator=(const Gathered &) = delete;
  ~Gathered() {
    std::free(bytes_);
  }

  void Add(const void *bytes, size_t len) {
    if (len == 0 || !MakeRoom(len)) return;
    std::memcpy(bytes_ + len_, bytes, len);
    len_ += len;
  }
  void Clear() {
    len_ = 0;
  }

  /* There was no memory for all of it. */
  bool failed() const {
    return failed_;
  }
  pm_str_t bytes() const {
    return {bytes_ == nullptr ? "" : bytes_, len_};
  }

private:
  bool MakeRoom(size_t len) {
    size_t capacity = capacity_ == 0 ? 4096 : capacity_;
    while (capacity < len_ + len)
      capacity *= 2;
    if (capacity == capacity_) return true;
    char *bytes = static_cast<char *>(std::realloc(bytes_, capacity));
    failed_ = failed_ || bytes == nullptr;
    if (bytes == nullptr) return false;
    bytes_ = bytes;
    capacity_ = capacity;
    return true;
  }

  char *bytes_ = nullptr;
  size_t len_ = 0, capacity_ = 0;
  bool failed_ = false;
};

/* Lines put together in texts with "\n" between them, each of which is no longer than
 * it has to be to save the making of many strings: who keeps a line of a text in
 * JavaScript keeps all of it. [text, count, text, count, …] */
class Texts {
public:
  explicit Texts(Writer &out) : pieces_{out, out.Array(), 0} {
  }

  void Add(pm_str_t line) {
    if (text_.bytes().len + line.len > LONGEST) EndPiece();
    if (count_++ > 0) text_.Add("\n", 1);
    text_.Add(line.base, line.len);
  }

  /* NULL when there was no memory for all of them, or JavaScript may not run. */
  napi_value End() {
    EndPiece();
    return text_.failed() ? nullptr : pieces_.array;
  }

private:
  enum { LONGEST = 32 * 1024 };

  void EndPiece() {
    if (count_ == 0) return;
    pieces_.Add(pieces_.out.Text(text_.bytes()));
    pieces_.Add(pieces_.out.Number(static_cast<double>(count_)));
    text_.Clear();
    count_ = 0;
  }

  Collected pieces_;
  Gathered text_;
  size_t count_ = 0;
};

/* What a tree uses, as numbers in the order that lib/figures.js knows. */
struct Figures {
  explicit Figures(const pm_metrics_t &m)
      : values{m.cpu,
               m.memory,
               m.own_cpu,
               m.own_memory,
               static_cast<double>(m.processes),
               static_cast<double>(m.threads),
               m.peak,
               static_cast<double>(m.user),
               static_cast<double>(m.system)} {
  }

  double values[9];
};

} // namespace binding

#endif // PM_BINDING_VALUES_H
