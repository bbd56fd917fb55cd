#include "loadgen/http1_connection.h"

namespace penstock::loadgen {
namespace {

Outcome OutcomeOf(const ReplyReader& reply) {
  if (reply.status() == 200) return reply.body_is_expected() ? Outcome::kAnswered : Outcome::kWrong;
  return reply.status() == 503 || reply.status() == 429 ? Outcome::kShed : Outcome::kFailed;
}

}  // namespace

bool Http1Connection::Send(const Sender::Ticket& ticket) {
  is_busy_ = true;
  unsent_from_ = 0;
  ticket_ = ticket;
  reply_.Reset();
  return true;
}

std::string_view Http1Connection::Unsent() {
  return is_busy_ ? std::string_view(request_).substr(unsent_from_) : std::string_view();
}

void Http1Connection::Receive(std::string_view bytes) {
  if (!is_busy_) {  // the server has closed it, or says what nobody has asked
    is_over_ = true;
    return;
  }
  const ReplyReader::State state = bytes.empty() ? reply_.End() : reply_.Read(bytes);
  if (state == ReplyReader::State::kMore) return;
  // An answer before all of the request has gone leaves a connection that means nothing any more.
  const bool is_whole = state == ReplyReader::State::kDone;
  is_over_ = !is_whole || !reply_.keeps_open() || unsent_from_ < request_.size();
  End(is_whole ? OutcomeOf(reply_) : Outcome::kBroken);
}

void Http1Connection::EndAll(Outcome outcome) {
  if (is_busy_) End(outcome);
  is_over_ = false;
}

void Http1Connection::End(Outcome outcome) {
  is_busy_ = false;
  ended_.push_back({ticket_, outcome});
}

}  // namespace penstock::loadgen
