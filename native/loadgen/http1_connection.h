// HTTP/1.1: one request at a time.
#pragma once

#include <cstddef>
#include <string>

#include "loadgen/connection.h"
#include "loadgen/reply_reader.h"

namespace penstock::loadgen {

class Http1Connection : public Connection {
 public:
  // `request`: head and body. Both outlive it.
  Http1Connection(const std::string* request, const ExpectedBody* expected) : request_(*request), reply_(expected) {}

  bool Start() override { return true; }
  size_t room() const override { return is_busy_ ? 0 : 1; }
  bool Send(const Sender::Ticket& ticket) override;
  std::string_view Unsent() override;
  void TookUnsent(size_t bytes) override { unsent_from_ += bytes; }
  void Receive(std::string_view bytes) override;
  bool is_over() const override { return is_over_; }
  void EndAll(Outcome outcome) override;

 private:
  void End(Outcome outcome);

  const std::string& request_;
  ReplyReader reply_;
  bool is_busy_ = false;
  bool is_over_ = false;
  size_t unsent_from_ = 0;  // of the request's bytes
  Sender::Ticket ticket_;
};

}  // namespace penstock::loadgen
