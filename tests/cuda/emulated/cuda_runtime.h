// A tests' double of CUDA's runtime: as much of it as thalweg calls, on the host.
//
// As on a device, work is done later: a stream keeps what it is given and does it when somebody waits for it. The
// first megabyte of an allocation starts as NaN. With AddressSanitizer, device memory can be touched by the device's
// work alone.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include <sanitizer/asan_interface.h>

#define __host__
#define __device__

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorLaunchFailure = 719,
  cudaErrorStreamCaptureUnsupported = 900
};
enum cudaMemcpyKind { cudaMemcpyDefault = 4 };
enum cudaMemoryType {
  cudaMemoryTypeUnregistered = 0, cudaMemoryTypeHost = 1, cudaMemoryTypeDevice = 2, cudaMemoryTypeManaged = 3
};
enum cudaDeviceAttr { cudaDevAttrComputeCapabilityMajor = 75 };
enum cudaStreamCaptureMode { cudaStreamCaptureModeGlobal = 0 };
enum cudaStreamCaptureStatus { cudaStreamCaptureStatusNone = 0, cudaStreamCaptureStatusActive = 1 };
enum cudaGraphExecUpdateResult { cudaGraphExecUpdateSuccess = 0, cudaGraphExecUpdateErrorTopologyChanged = 2 };

struct cudaPointerAttributes {
  cudaMemoryType type;
  int device;
};
struct cudaGraphExecUpdateResultInfo {
  cudaGraphExecUpdateResult result;
};
struct cudaDeviceProp {
  char name[256];
  int major, minor, multiProcessorCount;
};

namespace emulated {

using work = std::vector<std::function<void()>>;

struct stream {
  work waiting;
  bool capturing = false;
};

struct block {
  std::size_t size;
  int device;
};
using blocks = std::map<std::byte*, block>;

struct device {
  blocks memory, pinned;
  std::set<stream*> streams;
  stream legacy;  // the one that a null pointer means
  cudaError_t last = cudaSuccess;
  // What tests look at and set.
  std::size_t allocations = 0, synchronizations = 0, launches = 0;
  std::size_t free_bytes = ~std::size_t{0};
  int current = 0;                        ///< of as many devices as are asked for
  cudaError_t next_launch = cudaSuccess;  ///< what the next launch meets

  void protect(bool now) {
    for (const auto& [begin, block] : memory) {
      if (now) ASAN_POISON_MEMORY_REGION(begin, block.size);
      else ASAN_UNPOISON_MEMORY_REGION(begin, block.size);
    }
  }
  void finish(stream& s) {
    if (s.waiting.empty()) return;
    protect(false);
    for (const auto& f : std::exchange(s.waiting, {})) f();
    protect(true);
  }
  [[nodiscard]] bool capturing() const {
    return legacy.capturing || std::any_of(streams.begin(), streams.end(), [](auto* s) { return s->capturing; });
  }
  cudaError_t fail(cudaError_t e) { return last = e; }

  static const block* find(const blocks& all, const void* address) {
    auto after = all.upper_bound(const_cast<std::byte*>(static_cast<const std::byte*>(address)));
    if (after == all.begin()) return nullptr;
    const auto& [begin, block] = *--after;
    return static_cast<const std::byte*>(address) < begin + block.size ? &block : nullptr;
  }
};

inline device& the_device() {
  static device one;
  return one;
}

inline cudaError_t allocate(blocks& all, void** out, std::size_t bytes) {
  device& d = the_device();
  if (d.capturing()) return d.fail(cudaErrorStreamCaptureUnsupported);
  if (bytes > d.free_bytes) return d.fail(cudaErrorMemoryAllocation);
  constexpr std::size_t alignment = 256;
  const std::size_t whole = (bytes + alignment - 1) / alignment * alignment;
  auto* memory = static_cast<std::byte*>(std::aligned_alloc(alignment, whole));
  std::memset(memory, 0xff, std::min(bytes, std::size_t{1} << 20));  // NaN; not all of cuBLAS's workspace
  all[memory] = {bytes, d.current};
  ++d.allocations;
  *out = memory;
  return cudaSuccess;
}

}  // namespace emulated

using cudaStream_t = emulated::stream*;
using cudaGraph_t = emulated::work*;
using cudaGraphExec_t = emulated::work*;

namespace emulated {
inline stream& of(cudaStream_t s) { return s ? *s : the_device().legacy; }

/// Every kernel, copy and product ends up here.
inline void later(cudaStream_t s, std::function<void()> f) { of(s).waiting.push_back(std::move(f)); }
}  // namespace emulated

inline const char* cudaGetErrorName(cudaError_t e) {
  switch (e) {
    case cudaSuccess: return "cudaSuccess";
    case cudaErrorInvalidValue: return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation: return "cudaErrorMemoryAllocation";
    case cudaErrorLaunchFailure: return "cudaErrorLaunchFailure";
    case cudaErrorStreamCaptureUnsupported: return "cudaErrorStreamCaptureUnsupported";
  }
  return "unknown";
}
inline const char* cudaGetErrorString(cudaError_t e) {
  switch (e) {
    case cudaSuccess: return "no error";
    case cudaErrorInvalidValue: return "invalid argument";
    case cudaErrorMemoryAllocation: return "out of memory";
    case cudaErrorLaunchFailure: return "unspecified launch failure";
    case cudaErrorStreamCaptureUnsupported: return "operation not permitted when stream is capturing";
  }
  return "unknown";
}
inline cudaError_t cudaGetLastError() { return std::exchange(emulated::the_device().last, cudaSuccess); }

inline cudaError_t cudaGetDeviceCount(int* count) { return *count = 1, cudaSuccess; }
inline cudaError_t cudaGetDevice(int* device) { return *device = emulated::the_device().current, cudaSuccess; }
inline cudaError_t cudaSetDevice(int device) { return emulated::the_device().current = device, cudaSuccess; }
inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int) {
  *p = {"emulated", 8, 0, 108};
  return cudaSuccess;
}
inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr, int) { return *value = 8, cudaSuccess; }

inline cudaError_t cudaMalloc(void** memory, std::size_t bytes) {
  auto& d = emulated::the_device();
  const auto status = emulated::allocate(d.memory, memory, bytes);
  if (status == cudaSuccess) ASAN_POISON_MEMORY_REGION(*memory, bytes);
  return status;
}
inline cudaError_t cudaMallocHost(void** memory, std::size_t bytes) {
  return emulated::allocate(emulated::the_device().pinned, memory, bytes);
}

inline cudaError_t cudaDeviceSynchronize() {
  auto& d = emulated::the_device();
  if (d.capturing()) return d.fail(cudaErrorStreamCaptureUnsupported);
  ++d.synchronizations;
  d.finish(d.legacy);
  for (auto* s : d.streams) d.finish(*s);
  return cudaSuccess;
}
inline cudaError_t cudaFree(void* memory) {
  if (!memory) return cudaSuccess;
  auto& d = emulated::the_device();
  if (const auto status = cudaDeviceSynchronize(); status != cudaSuccess) return status;
  const auto found = d.memory.find(static_cast<std::byte*>(memory));
  if (found == d.memory.end()) return d.fail(cudaErrorInvalidValue);
  ASAN_UNPOISON_MEMORY_REGION(memory, found->second.size);
  d.memory.erase(found);
  std::free(memory);
  return cudaSuccess;
}
inline cudaError_t cudaFreeHost(void* memory) {
  if (!memory) return cudaSuccess;
  auto& d = emulated::the_device();
  if (const auto status = cudaDeviceSynchronize(); status != cudaSuccess) return status;
  if (!d.pinned.erase(static_cast<std::byte*>(memory))) return d.fail(cudaErrorInvalidValue);
  std::free(memory);
  return cudaSuccess;
}
inline cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* found, const void* address) {
  const auto& d = emulated::the_device();
  const auto *of_device = d.find(d.memory, address), *pinned = d.find(d.pinned, address);
  *found = of_device ? cudaPointerAttributes{cudaMemoryTypeDevice, of_device->device}
           : pinned  ? cudaPointerAttributes{cudaMemoryTypeHost, pinned->device}
                     : cudaPointerAttributes{cudaMemoryTypeUnregistered, -1};
  return cudaSuccess;
}

inline cudaError_t cudaStreamCreate(cudaStream_t* s) {
  emulated::the_device().streams.insert(*s = new emulated::stream);
  return cudaSuccess;
}
inline cudaError_t cudaStreamSynchronize(cudaStream_t s) {
  auto& d = emulated::the_device();
  if (emulated::of(s).capturing) return d.fail(cudaErrorStreamCaptureUnsupported);
  ++d.synchronizations;
  d.finish(emulated::of(s));
  return cudaSuccess;
}
inline cudaError_t cudaStreamDestroy(cudaStream_t s) {
  emulated::the_device().finish(*s);
  emulated::the_device().streams.erase(s);
  delete s;
  return cudaSuccess;
}

inline cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind, cudaStream_t s) {
  auto& d = emulated::the_device();
  const auto known = [&](const void* p) { return d.find(d.memory, p) || d.find(d.pinned, p); };
  const bool at_once = !known(to) || !known(from);
  if (at_once && emulated::of(s).capturing) return d.fail(cudaErrorStreamCaptureUnsupported);
  emulated::later(s, [=] { std::memcpy(to, from, bytes); });
  if (at_once) d.finish(emulated::of(s));  // pageable memory
  return cudaSuccess;
}
inline cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t s) {
  emulated::later(s, [=] { std::memset(to, value, bytes); });
  return cudaSuccess;
}

// A captured graph is the work itself: it runs each time that it is launched.
inline cudaError_t cudaStreamBeginCapture(cudaStream_t s, cudaStreamCaptureMode) {
  auto& d = emulated::the_device();
  if (!s) return d.fail(cudaErrorStreamCaptureUnsupported);
  d.finish(*s);
  s->capturing = true;
  return cudaSuccess;
}
inline cudaError_t cudaStreamIsCapturing(cudaStream_t s, cudaStreamCaptureStatus* status) {
  *status = s->capturing ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
  return cudaSuccess;
}
inline cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t* graph) {
  s->capturing = false;
  *graph = new emulated::work(std::exchange(s->waiting, {}));
  return cudaSuccess;
}
inline cudaError_t cudaGraphInstantiate(cudaGraphExec_t* run, cudaGraph_t graph, unsigned long long = 0) {
  *run = new emulated::work(*graph);
  return cudaSuccess;
}
inline cudaError_t cudaGraphExecUpdate(cudaGraphExec_t run, cudaGraph_t graph, cudaGraphExecUpdateResultInfo* info) {
  const bool same = run->size() == graph->size();
  info->result = same ? cudaGraphExecUpdateSuccess : cudaGraphExecUpdateErrorTopologyChanged;
  if (!same) return emulated::the_device().fail(cudaErrorInvalidValue);
  *run = *graph;
  return cudaSuccess;
}
inline cudaError_t cudaGraphLaunch(cudaGraphExec_t run, cudaStream_t s) {
  auto& waiting = emulated::of(s).waiting;
  waiting.insert(waiting.end(), run->begin(), run->end());
  return cudaSuccess;
}
inline cudaError_t cudaGraphDestroy(cudaGraph_t graph) { return delete graph, cudaSuccess; }
inline cudaError_t cudaGraphExecDestroy(cudaGraphExec_t run) { return delete run, cudaSuccess; }
