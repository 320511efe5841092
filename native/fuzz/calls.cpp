#include "fuzz/calls.h"

#include <map>
#include <sstream>

#include "fuzz/specs.h"

namespace nlrcnn::fuzz {
namespace {

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, at);)
    if (!part.empty()) parts.push_back(part);
  return parts;
}

class Maker {
 public:
  explicit Maker(Data& data) : data_(data) {}

  Call make(const Spec& spec) {
    call_.name = spec.name;
    for (const std::string& setting : split(spec.attrs, ' ')) add_setting(setting);
    for (const std::string& input : split(spec.inputs, ' ')) add_input(input);
    infer_outputs(spec);
    if (data_.chance(3)) change();
    return std::move(call_);
  }

 private:
  // A letter stands for the same size throughout a call.
  int64_t size(char letter) {
    const auto [found, fresh] = sizes_.try_emplace(letter, 0);
    if (fresh)
      found->second = data_.chance(12) ? data_.within(0, 20) : data_.within(data_.chance(8) ? 0 : 1, 4);
    return found->second;
  }

  // "4C", "CHW", "3": the product.
  int64_t term(const std::string& text) {
    int64_t product = 1, number = 0;
    for (char c : text) {
      if (c >= '0' && c <= '9')
        number = 10 * number + (c - '0');
      else
        product *= size(c);
    }
    return text[0] >= '0' && text[0] <= '9' ? number * product : product;
  }

  Shape shape(const std::string& text) {
    Shape out;
    for (const std::string& each : split(text, ',')) out.push_back(term(each));
    return out;
  }

  // "TYPE:SHAPE?"; "=" is the shape that the forward op gives, "L3" three lists of tensors.
  void add_input(std::string text) {
    Argument argument;
    if (text.back() == '?') {
      text.pop_back();
      argument.present = data_.chance(2);
    }
    if (text == "-") {
      call_.in.push_back({{}, Values::real, false});
      return;
    }
    if (text[0] == 'L') return add_lists(text[1] - '0');
    if (text.size() > 1 && text[1] == ':') {
      const char type = text[0];
      text = text.substr(2);
      if (type == 'i' || type == 'c') argument.desc.dtype = DType::i32;
      if (type == 'u') argument.desc.dtype = std::array{DType::u8, DType::u16}[data_.chance(3)];
      if (type == 'b') argument.values = Values::boxes;
      if (type == 'g') argument.values = Values::geometry;
      if (type == 'i') argument.values = Values::whole;
      if (type == 'c') argument.values = Values::count;
    }
    if (text == "=")
      inferred_.push_back(call_.in.size());
    else
      argument.desc.shape = shape(text);
    argument.blocked = is_float(argument.desc.dtype) && argument.desc.shape.size() == 4 && data_.chance(4);
    call_.in.push_back(argument);
  }

  void add_lists(int lists) {
    std::vector<Shape> shapes;
    for (int64_t n = data_.within(1, 3); n > 0; --n) {
      shapes.emplace_back();
      for (int64_t d = data_.within(0, 3); d > 0; --d) shapes.back().push_back(data_.within(0, 4));
    }
    for (int l = 0; l < lists; ++l)
      for (const Shape& each : shapes) call_.in.push_back({{DType::f32, each, Layout::plain}});
  }

  // "NAME:KIND…", see specs.h.
  void add_setting(const std::string& text) {
    const size_t colon = text.find(':');
    const std::string name = text.substr(0, colon), kind = text.substr(colon + 1), rest = kind.substr(1);
    if (kind[0] != '@' && kind[0] != '=' && data_.chance(6)) return;  // its default
    switch (kind[0]) {
      case 'p':
        return call_.attrs.set(name, std::vector<double>{whole(rest), whole(rest)});
      case 'i':
        return call_.attrs.set(name, whole(rest));
      case 'b':
        return call_.attrs.set(name, double(data_.chance(2)));
      case 'n':
        return call_.attrs.set(name, static_cast<double>(data_.byte()) / 255);
      case 'r':
        return call_.attrs.set(name, data_.real(4));
      case 'v':
        return call_.attrs.set(name, numbers(term(rest)));
      case 's': {
        const auto names = split(rest, '|');
        return call_.attrs.set(name, names[data_.byte() % names.size()]);
      }
      case '=':
        return call_.attrs.set(name, std::stod(rest));
      default: {
        std::vector<double> sizes;
        for (int64_t each : shape(rest)) sizes.push_back(static_cast<double>(each));
        if (sizes.size() == 1) return call_.attrs.set(name, sizes[0]);
        call_.attrs.set(name, sizes);
      }
    }
  }

  double whole(const std::string& least) {
    return double(std::stoi(least) + data_.within(0, data_.chance(5) ? 30 : 3));
  }

  std::vector<double> numbers(int64_t count) {
    std::vector<double> out;
    const bool tame = !data_.chance(6);
    for (int64_t i = 0; i < count; ++i) out.push_back(tame ? double(1 + data_.byte()) / 64 : data_.real(8));
    return out;
  }

  // Gives the inputs marked "=" the shape of what the op of `forward` makes of the others.
  void infer_outputs(const Spec& spec) {
    if (inferred_.empty()) return;
    OpCall forward{spec.forward, call_.attrs, {}, {}, {}, {}};
    for (size_t i = 0; i < call_.in.size(); ++i) {
      if (std::count(inferred_.begin(), inferred_.end(), i) || call_.in[i].values == Values::count) continue;
      forward.in.push_back(call_.in[i].desc);
      forward.present.push_back(call_.in[i].present);
    }
    const OpContract* contract = find_contract(spec.forward);
    forward.in.resize(std::max(forward.in.size(), contract->inputs));
    forward.present.resize(forward.in.size());
    auto out = contract->infer(forward);
    for (size_t i : inferred_) call_.in[i].desc.shape = out.ok() ? out.value()[0].shape : shape("N,C,H,W");
  }

  // One thing that does not fit.
  void change() {
    const size_t at = call_.in.empty() ? 0 : data_.upto(call_.in.size() - 1);
    const int64_t odd[] = {0, 1, 2, 7, 1 << 20, int64_t{1} << 31, int64_t{1} << 40, int64_t{1} << 62, -1};
    switch (data_.byte() % 8) {
      case 0:
        if (!call_.in.empty()) call_.in[at].present = !call_.in[at].present;
        break;
      case 1:
        if (!call_.in.empty()) call_.in[at].desc.dtype = static_cast<DType>(data_.upto(6));
        break;
      case 2:
        if (!call_.in.empty() && !call_.in[at].desc.shape.empty()) {
          Shape& shape = call_.in[at].desc.shape;
          shape[data_.upto(shape.size() - 1)] = odd[data_.byte() % std::size(odd)];
        }
        break;
      case 3:
        if (!call_.in.empty()) call_.in[at].desc.shape.push_back(data_.within(0, 3));
        break;
      case 4:
        if (!call_.in.empty() && !call_.in[at].desc.shape.empty()) call_.in[at].desc.shape.pop_back();
        break;
      case 5:
        if (!call_.in.empty()) call_.in.erase(call_.in.begin() + static_cast<int64_t>(at));
        break;
      case 6:
        call_.in.push_back({{DType::f32, shape("N,C"), Layout::plain}});
        break;
      default:
        change_setting();
    }
    for (Argument& argument : call_.in)
      argument.blocked = argument.blocked && is_float(argument.desc.dtype) && argument.desc.shape.size() == 4;
  }

  void change_setting() {
    std::vector<std::string> names;
    for (const Spec& spec : kSpecs)
      if (call_.name == spec.name)
        for (const std::string& setting : split(spec.attrs, ' '))
          names.push_back(setting.substr(0, setting.find(':')));
    if (names.empty()) return;
    const std::string name = names[data_.upto(names.size() - 1)];
    switch (data_.byte() % 4) {
      case 0:
        return call_.attrs.set(name, std::string("other"));
      case 1:
        return call_.attrs.set(name, numbers(static_cast<int64_t>(data_.upto(9))));
      default:
        return call_.attrs.set(name, data_.odd());
    }
  }

  Data& data_;
  Call call_;
  std::map<char, int64_t> sizes_;
  std::vector<size_t> inferred_;
};

}  // namespace

Call make_call(Data& data) {
  return Maker(data).make(kSpecs[data.byte() % std::size(kSpecs)]);
}

}  // namespace nlrcnn::fuzz
