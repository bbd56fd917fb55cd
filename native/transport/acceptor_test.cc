#include "transport/acceptor.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <time.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <string>
#include <thread>

#include "transport/test_peers.h"

namespace penstock::transport {
namespace {

ListenOptions Local(size_t max_connections = 1000) { return {"127.0.0.1", 0, "--http-port", max_connections}; }

std::shared_ptr<Acceptor> OpenLocal(size_t max_connections = 1000) {
  Result<std::shared_ptr<Acceptor>> acceptor = Acceptor::Open(Local(max_connections));
  EXPECT_TRUE(acceptor.ok()) << acceptor.status().message();
  return std::move(acceptor).value();
}

std::vector<FileDescriptor> Clients(uint16_t port, size_t count) {
  std::vector<FileDescriptor> clients;
  for (size_t i = 0; i < count; ++i) clients.push_back(Client(port));
  return clients;
}

std::vector<size_t> Numbers(const Acceptor& acceptor) {
  std::vector<size_t> numbers;
  for (const ConnectionTakers::Count& count : acceptor.Counts()) numbers.push_back(count.connections);
  return numbers;
}

size_t Total(const Acceptor& acceptor) {
  size_t total = 0;
  for (const size_t number : Numbers(acceptor)) total += number;
  return total;
}

// Whether so many connections are counted before long.
bool Reaches(const Acceptor& acceptor, size_t total) {
  for (int i = 0; i < kPatienceMs && Total(acceptor) != total; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return Total(acceptor) == total;
}

TEST(AcceptorTest, DealsConnectionsOutEvenly) {
  const auto acceptor = OpenLocal();
  std::vector<std::shared_ptr<KeepingTaker>> takers;
  for (uint32_t i = 0; i < 4; ++i) acceptor->Attach(takers.emplace_back(std::make_shared<KeepingTaker>()), i);
  const auto clients = Clients(acceptor->port(), 64);
  for (const auto& taker : takers) EXPECT_TRUE(taker->Has(16));
  EXPECT_EQ(Numbers(*acceptor), (std::vector<size_t>{16, 16, 16, 16}));
}

TEST(AcceptorTest, GivesTheNextConnectionToTheTakerThatHasFewest) {
  const auto acceptor = OpenLocal();
  const auto first = std::make_shared<KeepingTaker>();
  const auto second = std::make_shared<KeepingTaker>();
  acceptor->Attach(first, 0);
  const uint64_t name = acceptor->Attach(second, 1);
  auto clients = Clients(acceptor->port(), 8);
  ASSERT_TRUE(first->Has(4) && second->Has(4));
  for (int i = 0; i < 3; ++i) acceptor->Ended(name);
  clients.push_back(Client(acceptor->port()));
  clients.push_back(Client(acceptor->port()));
  ASSERT_TRUE(second->Has(6));
  EXPECT_EQ(first->size(), 4u);
  EXPECT_EQ(Numbers(*acceptor), (std::vector<size_t>{4, 3}));
}

TEST(AcceptorTest, LetsATakerThatGoesAskForItsCounts) {
  struct AskingTaker : ConnectionTaker {
    AskingTaker(Acceptor* asked, std::atomic<bool>* has_gone) : acceptor(asked), gone(has_gone) {}
    ~AskingTaker() override {
      acceptor->Counts();
      *gone = true;
    }
    void Take(FileDescriptor) override {}
    Acceptor* const acceptor;
    std::atomic<bool>* const gone;
  };
  const auto acceptor = OpenLocal();
  std::atomic<bool> gone{false};
  const uint64_t name = acceptor->Attach(std::make_shared<AskingTaker>(acceptor.get(), &gone), 0);
  acceptor->Detach(name);
  EXPECT_TRUE(gone);
}

TEST(AcceptorTest, LeavesConnectionsInTheBacklogUntilSomebodyTakesThem) {
  const auto acceptor = OpenLocal();
  const auto clients = Clients(acceptor->port(), 5);
  EXPECT_FALSE(IsClosed(clients[0], 20));
  const auto taker = std::make_shared<KeepingTaker>();
  acceptor->Attach(taker, 0);
  EXPECT_TRUE(taker->Has(5));
}

TEST(AcceptorTest, ClosesConnectionsBeyondTheLimitOfAllTakersTogether) {
  const auto acceptor = OpenLocal(3);
  const auto taker = std::make_shared<KeepingTaker>();
  const uint64_t name = acceptor->Attach(taker, 0);
  acceptor->Attach(std::make_shared<KeepingTaker>(), 1);
  const auto clients = Clients(acceptor->port(), 3);
  ASSERT_TRUE(Reaches(*acceptor, 3));
  EXPECT_TRUE(IsClosed(Client(acceptor->port())));
  EXPECT_EQ(Total(*acceptor), 3u);
  acceptor->Ended(name);
  const FileDescriptor next = Client(acceptor->port());
  EXPECT_TRUE(Reaches(*acceptor, 3));
  EXPECT_FALSE(IsClosed(next, 20));
}

TEST(AcceptorTest, ForgetsTheConnectionsOfATakerThatHasLeftAndGoesOnWithTheOthers) {
  const auto acceptor = OpenLocal(4);
  const auto leaving = std::make_shared<KeepingTaker>();
  const auto staying = std::make_shared<KeepingTaker>();
  const uint64_t name = acceptor->Attach(leaving, 0);
  acceptor->Attach(staying, 1);
  auto clients = Clients(acceptor->port(), 4);
  ASSERT_TRUE(leaving->Has(2) && staying->Has(2));
  acceptor->Detach(name);
  acceptor->Detach(name);
  acceptor->Ended(name);
  EXPECT_EQ(Numbers(*acceptor), (std::vector<size_t>{2}));
  for (auto& client : Clients(acceptor->port(), 2)) clients.push_back(std::move(client));
  EXPECT_TRUE(staying->Has(4));
  EXPECT_EQ(leaving->size(), 2u);
}

TEST(AcceptorTest, AcceptsWhatHasConnectedBeforeItCloses) {
  const auto acceptor = OpenLocal();
  const auto taker = std::make_shared<KeepingTaker>();
  const auto clients = Clients(acceptor->port(), 50);
  acceptor->Attach(taker, 0);
  acceptor->Close();
  EXPECT_EQ(taker->size(), 50u);
  for (const auto& client : clients) EXPECT_FALSE(IsClosed(client, 0));
  EXPECT_FALSE(Client(acceptor->port()).ok());
  acceptor->Close();
  EXPECT_TRUE(acceptor->closed());
}

TEST(AcceptorTest, ClosesWhatNobodyTookWhenItCloses) {
  const auto acceptor = OpenLocal();
  const FileDescriptor client = Client(acceptor->port());
  acceptor->Close();
  EXPECT_TRUE(IsClosed(client));
}

TEST(AcceptorTest, FreesItsPortForTheNextOne) {
  const auto first = OpenLocal();
  const auto taker = std::make_shared<KeepingTaker>();
  first->Attach(taker, 0);
  const FileDescriptor client = Client(first->port());
  ASSERT_TRUE(taker->Has(1));
  first->Close();
  taker->DropOne();  // the side that closes first is remembered by the kernel for a minute
  ListenOptions same = Local();
  same.port = first->port();
  EXPECT_TRUE(Acceptor::Open(same).ok());
}

TEST(AcceptorTest, HandsOverSocketsThatDoNotBlockAndSendAtOnce) {
  const auto acceptor = OpenLocal();
  const auto taker = std::make_shared<KeepingTaker>();
  acceptor->Attach(taker, 0);
  const FileDescriptor client = Client(acceptor->port());
  ASSERT_TRUE(taker->Has(1));
  const int fd = taker->last();
  EXPECT_TRUE(fcntl(fd, F_GETFL) & O_NONBLOCK);
  EXPECT_TRUE(fcntl(fd, F_GETFD) & FD_CLOEXEC);
  for (const auto& [level, name] : {std::pair<int, int>{IPPROTO_TCP, TCP_NODELAY}, {SOL_SOCKET, SO_KEEPALIVE}}) {
    int value = 0;
    socklen_t size = sizeof(value);
    ASSERT_EQ(getsockopt(fd, level, name, &value, &size), 0);
    EXPECT_NE(value, 0);
  }
}

// CPU time that the thread of an acceptor may use while it can do nothing, in a test of 300 ms; a busy loop uses nearly all of it.
constexpr double kIdleCpuSeconds = 0.1;

double CpuSeconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

TEST(AcceptorTest, WaitsWithoutSpinningWhileThereAreNoDescriptorsAndThenGoesOn) {
  const auto acceptor = OpenLocal();
  const auto taker = std::make_shared<KeepingTaker>();
  acceptor->Attach(taker, 0);
  std::vector<FileDescriptor> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(NewSocket());
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  // Every number below the limit is in use, so nothing can be opened any more.
  std::vector<FileDescriptor> filling;
  const rlimit tight{static_cast<rlim_t>(clients.back().get() + 1), before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
  for (;;) {
    FileDescriptor filler(dup(clients.back().get()));
    if (!filler.ok()) break;
    filling.push_back(std::move(filler));
  }
  for (const auto& client : clients) EXPECT_TRUE(Connect(client, acceptor->port()));
  const double start = CpuSeconds();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  const double used = CpuSeconds() - start;
  const size_t taken = taker->size();
  const int shortage = acceptor->TakeShortage();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(shortage, EMFILE);
  EXPECT_EQ(taken, 0u);
  EXPECT_LT(used, kIdleCpuSeconds);
  EXPECT_TRUE(taker->Has(3));
  acceptor->TakeShortage();  // it may have found the limit once more
  clients.push_back(Client(acceptor->port()));
  EXPECT_TRUE(taker->Has(4));
  EXPECT_EQ(acceptor->TakeShortage(), 0);
}

TEST(AcceptorTest, DoesNotSpinWhileNobodyTakes) {
  const auto acceptor = OpenLocal();
  const FileDescriptor client = Client(acceptor->port());
  const double start = CpuSeconds();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_LT(CpuSeconds() - start, kIdleCpuSeconds);
}

TEST(AcceptorStressTest, LosesNoConnectionWhileTakersComeAndGo) {
  constexpr size_t kConnections = 600;
  const auto acceptor = OpenLocal(100'000);
  const auto staying = std::make_shared<KeepingTaker>();
  acceptor->Attach(staying, 0);
  std::atomic<bool> done{false};
  std::atomic<size_t> taken_by_others{0};
  std::vector<std::thread> threads;
  for (uint32_t i = 1; i <= 2; ++i) {
    threads.emplace_back([&, i] {
      while (!done) {
        const auto taker = std::make_shared<KeepingTaker>();
        const uint64_t name = acceptor->Attach(taker, i);
        std::this_thread::sleep_for(std::chrono::microseconds(300));
        acceptor->Ended(name);
        acceptor->Detach(name);
        taken_by_others += taker->size();
      }
    });
  }
  std::vector<FileDescriptor> clients = Clients(acceptor->port(), kConnections);
  done = true;
  for (std::thread& thread : threads) thread.join();
  acceptor->Close();
  EXPECT_EQ(staying->size() + taken_by_others, kConnections);
  EXPECT_EQ(Total(*acceptor), staying->size());
}

}  // namespace
}  // namespace penstock::transport
