// Follows a series with an exported model, one number on each line of standard input (an empty line is a missing value).
//
//   ostinato export sensor.ost --onnx sensor.onnx
//   g++ -std=c++17 stream.cpp -I onnxruntime/include -L onnxruntime/lib -lonnxruntime -o stream
//   tail -f sensor.log | ./stream sensor.onnx
//
// The headers and the library of onnxruntime are at https://github.com/microsoft/onnxruntime/releases; Debian 13 has
// them as libonnxruntime-dev, with the headers in /usr/include/onnxruntime.
#include <onnxruntime_cxx_api.h>

#include <cmath>
#include <cstdint>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: stream MODEL.onnx\n";
    return 2;
  }
  Ort::Env env(ORT_LOGGING_LEVEL_WARNING, "ostinato");
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(1);
  Ort::Session session(env, argv[1], options);
  Ort::AllocatorWithDefaultOptions allocator;
  auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);

  std::vector<std::string> names, outputs;
  for (size_t i = 0; i < session.GetInputCount(); ++i) names.emplace_back(session.GetInputNameAllocated(i, allocator).get());
  for (size_t i = 0; i < session.GetOutputCount(); ++i)
    outputs.emplace_back(session.GetOutputNameAllocated(i, allocator).get());
  std::vector<const char*> given, asked;
  for (const auto& name : names) given.push_back(name.c_str());
  for (const auto& name : outputs) asked.push_back(name.c_str());

  // The inputs are y, start and then the state. A tensor that onnxruntime allocates belongs to itself.
  std::vector<Ort::Value> inputs;
  double y = 0;
  bool start = true;
  const int64_t one[] = {1}, column[] = {1, 1};
  inputs.push_back(Ort::Value::CreateTensor<double>(memory, &y, 1, column, 2));
  inputs.push_back(Ort::Value::CreateTensor<bool>(memory, &start, 1, one, 1));
  for (size_t i = 2; i < names.size(); ++i) {
    // kept alive here, because the shape is only a view of it
    auto type = session.GetInputTypeInfo(i);
    auto info = type.GetTensorTypeAndShapeInfo();
    auto shape = info.GetShape();
    shape[0] = 1;
    // Where start is true the state is not read, so its content does not matter.
    inputs.push_back(Ort::Value::CreateTensor(allocator, shape.data(), shape.size(), info.GetElementType()));
  }

  std::cout.precision(9);
  for (std::string line; std::getline(std::cin, line);) {
    y = line.empty() ? std::nan("") : std::stod(line);
    auto found = session.Run(Ort::RunOptions{nullptr}, given.data(), inputs.data(), inputs.size(), asked.data(), asked.size());
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i] == "surprisal" || outputs[i] == "expected")
        std::cout << outputs[i] << " " << found[i].GetTensorData<double>()[0] << (outputs[i] == "expected" ? "\n" : "  ");
      // state_out_3 is the next state_in_3, and so on
      if (outputs[i].rfind("state_out_", 0) == 0)
        for (size_t k = 2; k < names.size(); ++k)
          if (names[k] == "state_in_" + outputs[i].substr(10)) inputs[k] = std::move(found[i]);
    }
    start = false;
    std::cout << std::flush;
  }
}
