#include <cstring>

#include "cpu/onednn.h"
#include "fuzz/data.h"
#include "fuzz/run_graph.h"
#include "ops/geometry.h"

// preprocess on images of every kind: the settings and the geometry input give the same, padding is zero,
// pixels are finite.
namespace nlrcnn::fuzz {
namespace {

struct Image {
  Tensor pixels;
  int64_t height, width, output[2], padded[2];
  Attrs attrs;
  bool tame;  // neither odd values nor odd settings
};

template <class T, class Make>
void fill(void* to, int64_t count, Make make) {
  for (int64_t i = 0; i < count; ++i) static_cast<T*>(to)[i] = make();
}

Image make_image(Data& data) {
  Image image{};
  image.height = data.within(1, 20);
  image.width = data.within(1, 20);
  const int64_t channels = data.chance(2) ? 1 : 3, count = image.height * image.width * channels;
  const DType dtype = std::array{DType::u8, DType::u16, DType::f32}[data.byte() % 3];
  image.pixels.desc = {dtype, {image.height, image.width, channels}, Layout::plain};
  image.pixels.storage = exact_storage(image.pixels.desc.bytes(1));
  void* to = image.pixels.storage->data();
  image.tame = !data.chance(3);
  for (int i = 0; i < 2; ++i) {
    image.output[i] = data.within(1, 30);
    image.padded[i] = image.output[i] + data.within(0, 8);
  }
  std::vector<double> mean, std;
  for (int i = 0; i < 3; ++i) {
    mean.push_back(image.tame ? 0.5 : data.real(4));
    std.push_back(image.tame ? 0.25 : data.real(4));
  }
  image.attrs.set("mean", mean);
  image.attrs.set("std", std);
  if (data.chance(3)) image.attrs.set("percentiles", std::vector<double>{data.real(50), data.real(100)});
  image.attrs.set("padded_size", std::vector<double>{double(image.padded[0]), double(image.padded[1])});
  if (dtype == DType::u8) fill<uint8_t>(to, count, [&] { return data.byte(); });
  if (dtype == DType::u16) fill<uint16_t>(to, count, [&] { return static_cast<uint16_t>(data.upto(65535)); });
  if (dtype == DType::f32)
    fill<float>(to, count,
                [&] { return static_cast<float>(image.tame ? data.byte() / 255.0 : data.real(2)); });
  return image;
}

// Null where it is refused.
std::shared_ptr<Storage> run(const Image& image, bool with_geometry) {
  Graph graph;
  graph.target.block = cpu::channel_block();
  std::vector<int> in{graph.external(image.pixels)};
  Attrs attrs = image.attrs;
  if (with_geometry) {
    const Geometry geometry{
        float(image.height), float(image.width), float(image.output[0]), float(image.output[1]), 1, 1, {}};
    Tensor tensor{{DType::f32, {8}, Layout::plain}, exact_storage(sizeof geometry)};
    std::memcpy(tensor.storage->data(), &geometry, sizeof geometry);
    in.push_back(graph.external(tensor));
  } else {
    attrs.set("output_size", std::vector<double>{double(image.output[0]), double(image.output[1])});
  }
  auto out = graph.op("preprocess", in, attrs);
  if (!out.ok()) return nullptr;
  std::vector<Tensor> made;
  if (!run_graph(graph, &made).ok()) return nullptr;
  return made[out.value()[0]].storage;
}

}  // namespace
}  // namespace nlrcnn::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace nlrcnn::fuzz;
  Data data(bytes, size);
  const Image image = make_image(data);
  const auto out = run(image, false), other = run(image, true);
  require(!out == !other, "settings and geometry are taken alike");
  if (!out) return 0;
  require(std::memcmp(out->data(), other->data(), out->bytes()) == 0, "settings and geometry give the same");
  const auto* values = static_cast<const float*>(out->data());
  for (int64_t i = 0; i < 3 * image.padded[0] * image.padded[1]; ++i) {
    const int64_t y = i / image.padded[1] % image.padded[0], x = i % image.padded[1];
    if (y >= image.output[0] || x >= image.output[1]) require(values[i] == 0, "padding is zero");
    if (image.tame) require(std::abs(values[i]) <= 4, "pixels are normalised");
  }
  return 0;
}
