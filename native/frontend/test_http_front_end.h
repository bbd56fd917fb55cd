// A loop that serves "echo" over HTTP/1.1, for tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "frontend/hand_off.h"
#include "frontend/loop.h"
#include "frontend/test_engine.h"
#include "frontend/test_http_peers.h"
#include "serving/test_model.h"

namespace penstock::frontend {

class HttpFrontEndTest : public ::testing::Test {
 protected:
  HttpFrontEndTest() {
    options_.max_request_bytes = 64 << 20;
    options_.headers_timeout_ns = 60 * kNsPerSecond;
    options_.request_timeout_ns = 60 * kNsPerSecond;
    options_.keep_alive_timeout_ns = 60 * kNsPerSecond;
    script_ = std::make_shared<JavaScriptEnd>();
    hand_off_ = std::make_shared<HandOff>(1000);
    attached_ = hand_off_->Attach(script_, 1);
  }
  ~HttpFrontEndTest() override {
    session_->OpenGate();
    if (loop_ != nullptr) loop_->Destroy();
  }

  // Requests may be large.
  static serving::VersionSpec BigEcho() {
    serving::VersionSpec spec = serving::EchoSpec();
    spec.max_batch_size = 1 << 20;
    return spec;
  }

  // After `options_` are set; by the first Connect otherwise.
  void Start() {
    events_ = std::make_shared<RequestEvents>(true, true, [] {});
    const ConnectionFactories factories{MakeHttpConnection, nullptr};
    loop_ = Loop::Start(options_, &engine_, codec::CodecLimits(), factories, events_, nullptr, 0).value();
    taker_ = loop_->TakerFor(Protocol::kHttp, hand_off_, [this] { ++ended_; });
  }
  HttpPeer Connect(int receive_buffer_bytes = 0) {
    if (loop_ == nullptr) Start();
    auto [client, server] = TcpPair(receive_buffer_bytes);
    taker_->Take(std::move(server));
    return HttpPeer(std::move(client));
  }
  // When all that was asked of the loop before has been done.
  void Settle() {
    OnLoop(&loop_->events_loop(), [] {});
  }
  bool Eventually(const std::function<bool()>& holds) {
    for (int i = 0; i < transport::kPatienceMs; ++i) {
      if (holds()) return true;
      poll(nullptr, 0, 1);
    }
    return holds();
  }
  // So many bytes through the tunnel of a client that the loop begins another block to receive into.
  static void PassABlock(HttpPeer* client, HttpPeer* script) {
    const std::string block(transport::ReceiveBuffer::kBlockBytes, 'z');
    ASSERT_TRUE(client->Send(block));
    ASSERT_EQ(script->Read(block.size()).size(), block.size());
  }
  std::vector<RequestEvent> Events() {
    uint64_t lost = 0;
    return events_->Take(&lost);
  }

  FrontEndOptions options_;
  TestEngine served_{BigEcho()};
  serving::Engine& engine_ = served_.engine;
  const std::shared_ptr<session::FakeSession> session_ = served_.session;
  std::shared_ptr<JavaScriptEnd> script_;
  std::shared_ptr<HandOff> hand_off_;
  uint64_t attached_ = 0;
  std::shared_ptr<RequestEvents> events_;
  std::shared_ptr<Loop> loop_;
  std::shared_ptr<transport::ConnectionTaker> taker_;
  std::atomic<size_t> ended_{0};
};

// Four numbers for "echo" as JSON, and the bytes of a request for it. `fields`: more of them, each with its CRLF.
inline std::string JsonBody(int first = 1, const std::string& id = "") {
  return "{" + (id.empty() ? "" : "\"id\":\"" + id + "\",") +
         R"("inputs":[{"name":"x","datatype":"FP32","shape":[1,4],"data":[)" + std::to_string(first) + ",2,3,4]}]}";
}
inline std::string InferOf(const std::string& body, const std::string& fields = "", const std::string& model = "echo") {
  return "POST /v2/models/" + model + "/infer HTTP/1.1\r\nHost: a\r\n" + fields + "Content-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}
// So many rows of binary data, which the answer has as binary data, too.
inline std::string BinaryInferOf(const std::string& data) {
  const std::string json = R"({"inputs":[{"name":"x","datatype":"FP32","shape":[)" + std::to_string(data.size() / 16) +
                           R"(,4],"parameters":{"binary_data_size":)" + std::to_string(data.size()) +
                           R"(}}],"parameters":{"binary_data_output":true}})";
  return InferOf(json + data, "Inference-Header-Content-Length: " + std::to_string(json.size()) + "\r\n");
}
inline std::string AnswerData(int first) { return "\"data\":[" + std::to_string(first) + ",2,3,4]"; }

inline std::string GetOf(const std::string& path, const std::string& fields = "") {
  return "GET " + path + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}
inline std::string ScriptAnswer(const std::string& body, const std::string& fields = "") {
  return "HTTP/1.1 200 OK\r\n" + fields + "Content-Length: " + std::to_string(body.size()) + "\r\nConnection: keep-alive\r\n\r\n" + body;
}

}  // namespace penstock::frontend
