// The JSON form of inference requests: what is understood, and what is refused with which words.
#include "codec/http_request.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "codec/http_test_bodies.h"

namespace penstock::codec {
namespace {

using serving::OutputForm;
using testing::Bytes;
using testing::Decode;
using testing::Elements;
using testing::OneInput;
using testing::Outcome;
using testing::Tensor;

constexpr char kInput[] = R"("inputs":[{"name":"x","shape":[1],"datatype":"INT32","data":[1]}])";

std::string WithMember(const std::string& member) { return "{" + member + "," + kInput + "}"; }

template <typename T>
std::vector<T> ElementsOf(const std::string& body) {
  const auto request = Decode(body);
  EXPECT_TRUE(request.ok()) << Outcome(request.status());
  return request.ok() ? Elements<T>(request.value().inputs.at(0).data) : std::vector<T>();
}

std::string ErrorOf(const std::string& body) { return Outcome(Decode(body).status()); }

TEST(HttpRequest, ReadsEveryFieldOfARequest) {
  const auto decoded = Decode(R"({
    "id": "a\u00e9", "model_name": 7, "ignored": [{"deep": [1.5e3, null]}],
    "parameters": {"timeout": 250, "priority": 2, "binary_data_output": true, "s": "t", "i": -3, "u": 18446744073709551615, "d": 2.5, "b": false},
    "inputs": [{"name": "x", "shape": [2, 2], "datatype": "FP32", "data": [1, 2.5, -3e0, 0], "extra": {}, "parameters": {"mine": 1}},
               {"name": "__proto__", "shape": [], "datatype": "INT64", "data": [9007199254740993]}],
    "outputs": [{"name": "y"}, {"name": "z", "parameters": {"binary_data": true}}, {"name": "w", "parameters": {"binary_data": false}}]})");
  ASSERT_TRUE(decoded.ok()) << Outcome(decoded.status());
  const serving::InferRequest& request = decoded.value();
  EXPECT_EQ(request.id, "a\xC3\xA9");
  EXPECT_EQ(request.model_name, "");
  EXPECT_EQ(request.timeout_us, 250u);
  EXPECT_EQ(request.priority, 2u);
  EXPECT_TRUE(request.binary_output);
  ASSERT_EQ(request.parameters.size(), 5u);
  EXPECT_EQ(std::get<std::string>(request.parameters[0].value), "t");
  EXPECT_EQ(std::get<int64_t>(request.parameters[1].value), -3);
  EXPECT_EQ(std::get<uint64_t>(request.parameters[2].value), 18446744073709551615u);
  EXPECT_EQ(std::get<double>(request.parameters[3].value), 2.5);
  EXPECT_EQ(std::get<bool>(request.parameters[4].value), false);
  ASSERT_EQ(request.inputs.size(), 2u);
  EXPECT_EQ(request.inputs[0].name, "x");
  EXPECT_EQ(request.inputs[0].dtype, DataType::kFp32);
  EXPECT_EQ(request.inputs[0].shape, (std::vector<int64_t>{2, 2}));
  EXPECT_TRUE(request.inputs[0].data_is_checked);
  EXPECT_EQ(Elements<float>(request.inputs[0].data), (std::vector<float>{1, 2.5, -3, 0}));
  EXPECT_EQ(request.inputs[1].name, "__proto__");
  EXPECT_EQ(Elements<int64_t>(request.inputs[1].data), (std::vector<int64_t>{9007199254740993}));
  ASSERT_EQ(request.outputs.size(), 3u);
  EXPECT_EQ(request.outputs[0].form, OutputForm::kDefault);
  EXPECT_EQ(request.outputs[1].form, OutputForm::kBinary);
  EXPECT_EQ(request.outputs[2].form, OutputForm::kJson);
  EXPECT_FALSE(request.is_raw);
}

TEST(HttpRequest, ReadsDataOfEveryType) {
  EXPECT_EQ(ElementsOf<uint8_t>(Tensor("BOOL", "[3]", "[true, false ,true]")), (std::vector<uint8_t>{1, 0, 1}));
  EXPECT_EQ(ElementsOf<uint8_t>(Tensor("UINT8", "[2]", "[0,255]")), (std::vector<uint8_t>{0, 255}));
  EXPECT_EQ(ElementsOf<uint16_t>(Tensor("UINT16", "[2]", "[0,65535]")), (std::vector<uint16_t>{0, 65535}));
  EXPECT_EQ(ElementsOf<uint32_t>(Tensor("UINT32", "[1]", "[4294967295]")), (std::vector<uint32_t>{4294967295u}));
  EXPECT_EQ(ElementsOf<uint64_t>(Tensor("UINT64", "[1]", "[18446744073709551615]")), (std::vector<uint64_t>{18446744073709551615u}));
  EXPECT_EQ(ElementsOf<int8_t>(Tensor("INT8", "[2]", "[-128,127]")), (std::vector<int8_t>{-128, 127}));
  EXPECT_EQ(ElementsOf<int16_t>(Tensor("INT16", "[2]", "[-32768,32767]")), (std::vector<int16_t>{-32768, 32767}));
  EXPECT_EQ(ElementsOf<int32_t>(Tensor("INT32", "[2]", "[-2147483648,1]")), (std::vector<int32_t>{INT32_MIN, 1}));
  EXPECT_EQ(ElementsOf<int64_t>(Tensor("INT64", "[2]", "[-9223372036854775808,9223372036854775807]")),
            (std::vector<int64_t>{INT64_MIN, INT64_MAX}));
  EXPECT_EQ(ElementsOf<uint16_t>(Tensor("FP16", "[2]", "[1,-65504]")), (std::vector<uint16_t>{0x3C00, 0xFBFF}));
  EXPECT_EQ(ElementsOf<uint16_t>(Tensor("BF16", "[2]", "[1,-2]")), (std::vector<uint16_t>{0x3F80, 0xC000}));
  EXPECT_EQ(ElementsOf<float>(Tensor("FP32", "[2]", "[0.1,1e-3]")), (std::vector<float>{0.1f, 1e-3f}));
  EXPECT_EQ(ElementsOf<double>(Tensor("FP64", "[2]", "[0.1,1e300]")), (std::vector<double>{0.1, 1e300}));
  const auto bytes = Decode(Tensor("BYTES", "[4]", R"(["ab", "", "\u00e9\n" , "\ud83d\ude00"])"));
  ASSERT_TRUE(bytes.ok()) << Outcome(bytes.status());
  EXPECT_EQ(Bytes(bytes.value().inputs[0].data), std::string("\2\0\0\0ab\0\0\0\0\3\0\0\0\xC3\xA9\n\4\0\0\0\xF0\x9F\x98\x80", 25));
}

TEST(HttpRequest, ReadsNestedDataDepthFirstHoweverItIsNested) {
  const std::vector<int32_t> six = {1, 2, 3, 4, 5, 6};
  for (const char* data : {"[1,2,3,4,5,6]", "[[1,2,3],[4,5,6]]", "[[1,2],[3,4],[5,6]]", "[ [ [ 1 ] , 2 ] ,\n3,[4,[5],[],6]]",
                           "[[[[1,2,3,4,5,6]]]]", "[[],[1,2,3,4,5,6],[]]"}) {
    EXPECT_EQ(ElementsOf<int32_t>(Tensor("INT32", "[2,3]", data)), six) << data;
  }
  const auto bytes = Decode(Tensor("BYTES", "[2]", R"([["a"],[[],"b"]])"));
  ASSERT_TRUE(bytes.ok()) << Outcome(bytes.status());
  EXPECT_EQ(Bytes(bytes.value().inputs[0].data), std::string("\1\0\0\0a\1\0\0\0b", 10));
}

TEST(HttpRequest, TakesTheMembersOfAnInputInAnyOrder) {
  const std::vector<std::string> members = {R"("shape":[2,1])", R"("datatype":"INT16")", R"("data":[[-1],[300]])"};
  std::vector<size_t> order = {0, 1, 2};
  do {
    const std::string body = OneInput(members[order[0]] + "," + members[order[1]] + "," + members[order[2]]);
    EXPECT_EQ(ElementsOf<int16_t>(body), (std::vector<int16_t>{-1, 300})) << body;
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_EQ(ErrorOf(OneInput(R"("data":[1,true],"shape":[2],"datatype":"INT16")")),
            "ERR_TENSOR_DATA inputs[0].data[1]: found true, expected a number");
  EXPECT_EQ(ErrorOf(OneInput(R"("data":[1,},"shape":[2],"datatype":"INT16")")),
            "ERR_REQUEST_JSON JSON at byte 33: found '}', expected a value");
}

TEST(HttpRequest, AcceptsEmptyTensorsWithAndWithoutData) {
  for (const char* dtype : {"FP32", "BYTES", "BOOL"}) {
    for (const char* data : {"[]", "[[],[]]"}) {
      const auto request = Decode(Tensor(dtype, "[0,4]", data));
      ASSERT_TRUE(request.ok()) << Outcome(request.status());
      EXPECT_TRUE(request.value().inputs[0].data.empty());
    }
    const auto absent = Decode(OneInput(R"("shape":[0],"datatype":")" + std::string(dtype) + R"(")"));
    ASSERT_TRUE(absent.ok()) << Outcome(absent.status());
    EXPECT_TRUE(absent.value().inputs[0].data_is_checked);
  }
  EXPECT_EQ(ErrorOf(Tensor("FP32", "[0]", "[1]")),
            "ERR_TENSOR_DATA inputs[0].data: found 1 elements, expected 0, the product of the shape");
}

TEST(HttpRequest, SaysHowManyElementsItFoundAndExpected) {
  for (const char* order : {"first", "last"}) {
    const std::string shape = R"("shape":[2,2],"datatype":"FP32")";
    const auto body = [&](const std::string& data) {
      return OneInput(std::string(order) == "first" ? R"("data":)" + data + "," + shape : shape + R"(,"data":)" + data);
    };
    const std::string tail = " elements, expected 4, the product of the shape";
    for (const auto& [data, found] : {std::pair("[1,2,3]", "3"), std::pair("[1,2,3,4,5]", "5"), std::pair("[[1,2],[3,4],[5,6]]", "6"),
                                      std::pair("[]", "0"), std::pair("[[1,2,3,4],[5]]", "5"), std::pair("[1,2,3,4,\"x\"]", "5")}) {
      EXPECT_EQ(ErrorOf(body(data)), std::string("ERR_TENSOR_DATA inputs[0].data: found ") + found + tail) << order;
    }
  }
  EXPECT_EQ(ErrorOf(Tensor("BYTES", "[2]", R"(["a","b","c"])")),
            "ERR_TENSOR_DATA inputs[0].data: found 3 elements, expected 2, the product of the shape");
}

TEST(HttpRequest, NamesTheElementThatDoesNotFitItsType) {
  EXPECT_EQ(ErrorOf(Tensor("UINT8", "[6]", "[1,2,3,4,5,300]")), "ERR_TENSOR_DATA inputs[0].data[5]: 300 is out of range for UINT8");
  EXPECT_EQ(ErrorOf(Tensor("UINT32", "[1]", "[-1]")), "ERR_TENSOR_DATA inputs[0].data[0]: -1 is out of range for UINT32");
  EXPECT_EQ(ErrorOf(Tensor("INT32", "[2]", "[[1],[1.0]]")),
            "ERR_TENSOR_DATA inputs[0].data[1]: 1.0 has a fraction or an exponent, which is not allowed for INT32");
  EXPECT_EQ(ErrorOf(Tensor("INT64", "[1]", "[1e3]")),
            "ERR_TENSOR_DATA inputs[0].data[0]: 1e3 has a fraction or an exponent, which is not allowed for INT64");
  EXPECT_EQ(ErrorOf(Tensor("FP32", "[1]", "[1e39]")), "ERR_TENSOR_DATA inputs[0].data[0]: 1e39 is out of range for FP32");
  EXPECT_EQ(ErrorOf(Tensor("FP16", "[1]", "[70000]")), "ERR_TENSOR_DATA inputs[0].data[0]: 70000 is out of range for FP16");
  EXPECT_EQ(ErrorOf(Tensor("FP32", "[1]", R"(["1"])")), "ERR_TENSOR_DATA inputs[0].data[0]: found \"1\", expected a number");
  EXPECT_EQ(ErrorOf(Tensor("FP32", "[1]", "[null]")), "ERR_TENSOR_DATA inputs[0].data[0]: found null, expected a number");
  EXPECT_EQ(ErrorOf(Tensor("FP32", "[1]", "[{}]")), "ERR_TENSOR_DATA inputs[0].data[0]: found an object, expected a number");
  EXPECT_EQ(ErrorOf(Tensor("BOOL", "[1]", "[1]")), "ERR_TENSOR_DATA inputs[0].data[0]: found 1, expected true or false");
  EXPECT_EQ(ErrorOf(Tensor("BYTES", "[1]", "[1]")), "ERR_TENSOR_DATA inputs[0].data[0]: found 1, expected a string");
  EXPECT_EQ(ErrorOf(Tensor("INT64", "[1]", "[" + std::string(100, '9') + "]")),
            "ERR_TENSOR_DATA inputs[0].data[0]: " + std::string(64, '9') + "... is out of range for INT64");
}

TEST(HttpRequest, RefusesDataThatIsNotJson) {
  for (const char* data : {"[1,]", "[,1]", "[1 2]", "[01]", "[+1]", "[.5]", "[5.]", "[NaN]", "[Infinity]", "[-]", "[1", "[1,", "[1}",
                           "[tru]", "[1e]", "[0x10]", "[1,2]]", "[\"a]", "[nan]"}) {
    EXPECT_EQ(Decode(Tensor("FP32", "[2]", data)).status().code(), StatusCode::kRequestJson) << data;
    EXPECT_EQ(Decode(OneInput(R"("data":)" + std::string(data) + R"(,"shape":[2],"datatype":"FP32")")).status().code(),
              StatusCode::kRequestJson)
        << data;
  }
  EXPECT_EQ(Decode(Tensor("BYTES", "[1]", "[\"\xFF\"]")).status().code(), StatusCode::kRequestJson);
  EXPECT_EQ(Decode(Tensor("BYTES", "[1]", R"(["\ud800"])")).status().code(), StatusCode::kRequestJson);
  EXPECT_EQ(Decode(Tensor("BOOL", "[1]", "[truex]")).status().code(), StatusCode::kRequestJson);
}

TEST(HttpRequest, NamesTheFieldThatIsMissingOrOfTheWrongKind) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"[]", "ERR_REQUEST_FIELD the request: found an array, expected an object"},
      {"{}", "ERR_REQUEST_FIELD inputs: found nothing, expected an array of inputs"},
      {R"({"inputs":[]})", "ERR_REQUEST_FIELD inputs: found an empty array, expected an array of inputs"},
      {R"({"inputs":{}})", "ERR_REQUEST_FIELD inputs: found an object, expected an array"},
      {R"({"inputs":[1]})", "ERR_REQUEST_FIELD inputs[0]: found 1, expected an object"},
      {R"({"inputs":[{"shape":[1],"datatype":"BOOL"}]})", "ERR_REQUEST_FIELD inputs[0].name: found nothing, expected a string"},
      {R"({"inputs":[{"name":"x","datatype":"BOOL","data":[]}]})",
       "ERR_REQUEST_FIELD inputs[0].shape: found nothing, expected an array of whole numbers"},
      {R"({"inputs":[{"name":"x","shape":[1],"data":[]}]})", "ERR_REQUEST_FIELD inputs[0].datatype: found nothing, expected a string"},
      {OneInput(R"("shape":[1],"datatype":"FP33")"),
       "ERR_TENSOR_DTYPE inputs[0].datatype: found \"FP33\", expected BOOL, UINT8, UINT16, UINT32, UINT64, INT8, INT16, INT32, INT64, "
       "FP16, BF16, "
       "FP32, FP64 or BYTES"},
      {OneInput(R"("shape":1)"), "ERR_REQUEST_FIELD inputs[0].shape: found 1, expected an array of whole numbers"},
      {OneInput(R"("shape":[2,-1])"),
       "ERR_TENSOR_SHAPE inputs[0].shape[1]: found -1, expected a whole number from 0 to 9223372036854775807"},
      {OneInput(R"("shape":[1.0])"),
       "ERR_TENSOR_SHAPE inputs[0].shape[0]: found 1.0, expected a whole number from 0 to 9223372036854775807"},
      {OneInput(R"("shape":["1"])"),
       "ERR_TENSOR_SHAPE inputs[0].shape[0]: found \"1\", expected a whole number from 0 to 9223372036854775807"},
      {OneInput(R"("shape":[9223372036854775808])"),
       "ERR_TENSOR_SHAPE inputs[0].shape[0]: found 9223372036854775808, expected a whole number from 0 to 9223372036854775807"},
      {Tensor("FP32", "[1]", "5"), "ERR_REQUEST_FIELD inputs[0].data: found 5, expected an array"},
      {OneInput(R"("shape":[1],"datatype":"FP32")"),
       "ERR_REQUEST_FIELD inputs[0]: found neither, expected one of data and parameters.binary_data_size"},
      {OneInput(R"("shape":[1],"datatype":"FP32","data":[1],"parameters":{"binary_data_size":4})"),
       "ERR_REQUEST_FIELD inputs[0]: found both, expected one of data and parameters.binary_data_size"},
      {WithMember(R"("id":5)"), "ERR_REQUEST_FIELD id: found 5, expected a string"},
      {WithMember(R"("outputs":[{}])"), "ERR_REQUEST_FIELD outputs[0].name: found nothing, expected a string"},
      {WithMember(R"("outputs":[{"name":"y","parameters":{"binary_data":1}}])"),
       "ERR_REQUEST_PARAMETER outputs[0].parameters.binary_data: found 1, expected true or false"},
      {WithMember(R"("parameters":[])"), "ERR_REQUEST_FIELD parameters: found an array, expected an object"},
  };
  for (const auto& [body, error] : cases) EXPECT_EQ(ErrorOf(body), error) << body;
}

TEST(HttpRequest, RefusesAKeyThatAppearsTwice) {
  EXPECT_EQ(ErrorOf(WithMember(R"("id":"a","id":"a")")), "ERR_REQUEST_FIELD id: appears twice");
  EXPECT_EQ(ErrorOf(WithMember(kInput)), "ERR_REQUEST_FIELD inputs: appears twice");
  EXPECT_EQ(ErrorOf(Tensor("INT8", R"([1],"shape":[1])", "[1]")), "ERR_REQUEST_FIELD inputs[0].shape: appears twice");
  EXPECT_EQ(ErrorOf(Tensor("INT8", "[1]", R"([1],"d\u0061ta":[1])")), "ERR_REQUEST_FIELD inputs[0].data: appears twice");
  EXPECT_EQ(ErrorOf(WithMember(R"("parameters":{"a":1,"b":2,"a":3})")), "ERR_REQUEST_FIELD parameters.a: appears twice");
  EXPECT_EQ(ErrorOf(WithMember(R"("outputs":[{"name":"y","parameters":{"binary_data":true,"binary_data":true}}])")),
            "ERR_REQUEST_FIELD outputs[0].parameters.binary_data: appears twice");
  EXPECT_EQ(ErrorOf(WithMember(R"("other":1,"other":2)")), "OK") << "keys that nobody reads may repeat";
}

TEST(HttpRequest, RefusesTensorNamesThatRepeat) {
  const std::string x = R"({"name":"x","shape":[0],"datatype":"FP32"})";
  EXPECT_EQ(ErrorOf(R"({"inputs":[)" + x + "," + x + "]}"), "ERR_TENSOR_NAME inputs: the name \"x\" appears twice");
  EXPECT_EQ(ErrorOf(WithMember(R"("outputs":[{"name":"y"},{"name":"y"}])")), "ERR_TENSOR_NAME outputs: the name \"y\" appears twice");
}

TEST(HttpRequest, RefusesParametersOfTheWrongKind) {
  const auto error = [](const std::string& parameter) { return ErrorOf(WithMember(R"("parameters":{)" + parameter + "}")); };
  const std::string whole = ", expected a whole number from 0 to 18446744073709551615";
  EXPECT_EQ(error(R"("timeout":1.5)"), "ERR_REQUEST_PARAMETER parameters.timeout: found 1.5" + whole);
  EXPECT_EQ(error(R"("timeout":"5")"), "ERR_REQUEST_PARAMETER parameters.timeout: found \"5\"" + whole);
  EXPECT_EQ(error(R"("priority":true)"), "ERR_REQUEST_PARAMETER parameters.priority: found true" + whole);
  EXPECT_EQ(error(R"("priority":-1)"), "ERR_REQUEST_PARAMETER parameters.priority: found -1" + whole);
  const std::string kinds = ", expected a string, a number, true or false";
  EXPECT_EQ(error(R"("timeout":null)"), "ERR_REQUEST_PARAMETER parameters.timeout: found null" + kinds);
  EXPECT_EQ(error(R"("a":[1])"), "ERR_REQUEST_PARAMETER parameters.a: found an array" + kinds);
  EXPECT_EQ(error(R"("a":{})"), "ERR_REQUEST_PARAMETER parameters.a: found an object" + kinds);
  EXPECT_EQ(error(R"("a":18446744073709551616)"),
            "ERR_REQUEST_PARAMETER parameters.a: found 18446744073709551616, expected a number that 64 bits can hold");
  EXPECT_EQ(error(R"("a":1e999)"), "ERR_REQUEST_PARAMETER parameters.a: found 1e999, expected a number that 64 bits can hold");
  EXPECT_EQ(error(R"("headers":"a")"), "ERR_REQUEST_PARAMETER parameters.headers: this name is reserved");
  EXPECT_EQ(error(R"("sequence_id":4)"), "ERR_NOT_SUPPORTED parameters.sequence_id: sequences are not supported");
}

TEST(HttpRequest, SaysThatSharedMemoryAndClassificationAreNotSupported) {
  EXPECT_EQ(ErrorOf(OneInput(R"("shape":[1],"datatype":"FP32","parameters":{"shared_memory_region":"r"})")),
            "ERR_NOT_SUPPORTED inputs[0].parameters.shared_memory_region: shared memory is not supported yet");
  EXPECT_EQ(ErrorOf(WithMember(R"("outputs":[{"name":"y","parameters":{"shared_memory_byte_size":1}}])")),
            "ERR_NOT_SUPPORTED outputs[0].parameters.shared_memory_byte_size: shared memory is not supported yet");
  EXPECT_EQ(ErrorOf(WithMember(R"("outputs":[{"name":"y","parameters":{"classification":3}}])")),
            "ERR_NOT_SUPPORTED outputs[0].parameters.classification: classification is not supported yet");
}

}  // namespace
}  // namespace penstock::codec
