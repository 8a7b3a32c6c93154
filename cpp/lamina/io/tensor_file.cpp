#include "lamina/io/tensor_file.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "lamina/base/sha256.hpp"
#include "lamina/nn/spec.hpp"

#ifdef _WIN32
#include <io.h>
#include <process.h>
#else
#include <fcntl.h>
#include <unistd.h>
#endif

namespace lamina {
namespace {

static_assert(std::endian::native == std::endian::little, "files are little-endian");
constexpr const char* kChecksum = "sha256";

const char* dtype_code(DataType dtype) { return dtype == DataType::float32 ? "F32" : "F64"; }

std::string checksum(const std::map<std::string, std::string>& metadata,
                     const std::vector<StoredTensor>& tensors) {
  Sha256 sum;
  for (const auto& [key, value] : metadata)
    if (key != kChecksum) sum.add(key), sum.add("="), sum.add(value), sum.add("\n");
  for (const auto& t : tensors) {
    sum.add(t.name + dtype_code(t.dtype) + shape_text(t.shape));
    sum.add(t.data, t.bytes);
  }
  return sum.hex();
}

bool sync(std::FILE* file) {
#ifdef _WIN32
  return _commit(_fileno(file)) == 0;
#else
  return ::fsync(::fileno(file)) == 0;
#endif
}

void sync_folder(const std::string& path) {
#ifndef _WIN32
  const auto slash = path.find_last_of('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int handle = ::open(folder.c_str(), O_RDONLY);
  if (handle < 0) return;
  ::fsync(handle);
  ::close(handle);
#else
  (void)path;
#endif
}

int process_id() {
#ifdef _WIN32
  return _getpid();
#else
  return static_cast<int>(::getpid());
#endif
}

// A whole number of at least 0: JSON's others would be converted.
template <class N>
N whole(const Json& json) {
  if (!json.is_number_unsigned()) throw Json::type_error::create(302, "not a size", &json);
  return json.get<N>();
}

StoredTensor read_tensor(const std::string& what, const std::string& name, const Json& entry,
                         std::span<const char> data) {
  StoredTensor t;
  t.name = name;
  const auto dtype = entry.at("dtype").get<std::string>();
  require(dtype == "F32" || dtype == "F64", what, ": tensor '", name, "' has unknown dtype ",
          dtype);
  t.dtype = dtype == "F32" ? DataType::float32 : DataType::float64;
  for (const Json& size : entry.at("shape")) t.shape.push_back(whole<Index>(size));
  const auto begin = whole<std::size_t>(entry.at("data_offsets").at(0)),
             end = whole<std::size_t>(entry.at("data_offsets").at(1));
  require(begin <= end && end <= data.size(), what, ": tensor '", name,
          "' lies outside the file: it was cut short");
  t.data = data.data() + begin;
  t.bytes = end - begin;
  return t;
}

// The tensors lie one behind another, from the header to the file's end: so every byte is under the
// checksum, and none is read twice.
void check_places(const TensorFile& file, std::span<const char> data) {
  std::vector<std::pair<const char*, const char*>> places;
  for (const StoredTensor& t : file.tensors) {
    const auto* begin = static_cast<const char*>(t.data);
    places.emplace_back(begin, begin + t.bytes);
  }
  std::sort(places.begin(), places.end());
  const char* end = data.data();
  for (const auto& place : places) {
    require(place.first == end, file.what, ": its tensors overlap, or there are gaps between them");
    end = place.second;
  }
  require(end == data.data() + data.size(), file.what, ": there are ",
          data.data() + data.size() - end, " bytes behind the last tensor");
}

}  // namespace

const StoredTensor* TensorFile::find(const std::string& name) const {
  for (const auto& tensor : tensors)
    if (tensor.name == name) return &tensor;
  return nullptr;
}

const StoredTensor& TensorFile::checked(const StoredTensor& expected) const {
  const StoredTensor* tensor = find(expected.name);
  require(tensor != nullptr, what, ": the file has no tensor '", expected.name, "'");
  require(tensor->dtype == expected.dtype && tensor->shape == expected.shape &&
              tensor->bytes == expected.bytes,
          what, ": tensor '", expected.name, "' is ", dtype_code(tensor->dtype), " ",
          shape_text(tensor->shape), ", expected ", dtype_code(expected.dtype), " ",
          shape_text(expected.shape));
  return *tensor;
}

void TensorFile::read(const StoredTensor& expected, void* to) const {
  const StoredTensor& tensor = checked(expected);
  if (tensor.bytes > 0) std::memcpy(to, tensor.data, tensor.bytes);
}

const std::string& metadata(const TensorFile& file, const char* key) {
  const auto found = file.metadata.find(key);
  require(found != file.metadata.end(), file.what, ": the file's '", key, "' is missing");
  return found->second;
}

void check_format(const TensorFile& file, const std::string& format, int newest) {
  const std::string &kind = metadata(file, "format"), &text = metadata(file, "format_version");
  require(kind == format, file.what, ": expected a ", format, ", this is a ", kind);
  int version = 0;
  const auto end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, version);
  require(error == std::errc() && stop == end && version >= 1, file.what,
          ": the file's 'format_version' is not a number but '", text, "'");
  require(version <= newest, file.what, ": written by a newer Lamina (format_version ", version,
          ", this one reads up to ", newest, "): pip install --upgrade lamina, or for C++ ",
          "the sources of that version");
}

// What stands before the tensors, and how many bytes those have.
static std::pair<std::string, std::size_t> head(const TensorFile& file) {
  Json header = Json::object(), metadata = Json::object();
  for (const auto& [key, value] : file.metadata) metadata[key] = value;
  metadata[kChecksum] = checksum(file.metadata, file.tensors);
  header["__metadata__"] = metadata;
  std::size_t offset = 0;
  for (const auto& t : file.tensors) {
    header[t.name] = {{"dtype", dtype_code(t.dtype)},
                      {"shape", t.shape},
                      {"data_offsets", {offset, offset + t.bytes}}};
    offset += t.bytes;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const auto length = static_cast<std::uint64_t>(text.size());
  std::string out(sizeof length, '\0');
  std::memcpy(out.data(), &length, sizeof length);
  out += text;
  return {std::move(out), offset};
}

std::string encode(const TensorFile& file) {
  auto [out, bytes] = head(file);
  out.reserve(out.size() + bytes);
  for (const auto& t : file.tensors) out.append(static_cast<const char*>(t.data), t.bytes);
  return out;
}

TensorFile decode(const std::string& what, std::span<const char> bytes) {
  std::uint64_t length = 0;
  require(bytes.size() >= sizeof length, what, ": not a Lamina file (too short)");
  std::memcpy(&length, bytes.data(), sizeof length);
  require(length <= bytes.size() - sizeof length, what,
          ": not a Lamina file, or cut short: its header would have ", length,
          " bytes, the file has ", bytes.size());
  TensorFile file;
  file.what = what;
  const std::string_view header_text(bytes.data() + sizeof length, length);
  const std::span<const char> data = bytes.subspan(sizeof length + length);
  check_nesting(what + ": its header", header_text);
  try {
    const Json header = Json::parse(header_text);
    for (const auto& [name, entry] : header.items()) {
      if (name != "__metadata__") {
        file.tensors.push_back(read_tensor(what, name, entry, data));
        continue;
      }
      for (const auto& [key, value] : entry.items()) file.metadata[key] = value.get<std::string>();
    }
  } catch (const Json::exception&) {
    fail(what, ": not a Lamina file (its header is not JSON of the expected form)");
  }
  check_places(file, data);
  require(file.metadata.count(kChecksum) == 1 &&
              file.metadata[kChecksum] == checksum(file.metadata, file.tensors),
          what, ": the checksum does not match: the file is damaged");
  return file;
}

void write_atomically(const std::string& path, const TensorFile& contents) {
  const std::string begin = head(contents).first;
  const std::string temporary = path + ".tmp" + std::to_string(process_id());
  std::FILE* file = std::fopen(temporary.c_str(), "wb");
  if (!file) throw FileError(concat("cannot write ", path, ": ", std::strerror(errno)));
  errno = 0;
  bool good = std::fwrite(begin.data(), 1, begin.size(), file) == begin.size();
  for (const StoredTensor& t : contents.tensors)
    good = good && (t.bytes == 0 || std::fwrite(t.data, 1, t.bytes, file) == t.bytes);
  good = std::fflush(file) == 0 && good;
  good = good && sync(file);
  const int error = errno;
  good = std::fclose(file) == 0 && good;
  if (!good || std::rename(temporary.c_str(), path.c_str()) != 0) {
    const int reason = good ? errno : error;
    std::remove(temporary.c_str());
    throw FileError(concat("cannot write ", path, ": ", std::strerror(reason),
                           " (the old file, if any, is untouched)"));
  }
  sync_folder(path);
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file.good()) throw FileError(concat("cannot read ", path, ": ", std::strerror(errno)));
  const auto size = file.tellg();
  if (size < 0 || size > std::numeric_limits<std::int64_t>::max() / 2)
    throw FileError(concat("cannot read ", path, ": it is not a file"));
  std::string out(static_cast<std::size_t>(size), '\0');
  file.seekg(0);
  file.read(out.data(), size);
  if (!file.good() && size != 0) throw FileError(concat("cannot read ", path));
  return out;
}

}  // namespace lamina
