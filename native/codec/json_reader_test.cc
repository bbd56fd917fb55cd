#include "codec/json_reader.h"

#include <gtest/gtest.h>

#include <vector>

#include "codec/json_string.h"
#include "codec/utf8.h"

namespace penstock::codec {
namespace {

constexpr int kDepth = 100;

// The whole document checked; its message when it is wrong.
std::string Check(std::string_view document, int max_depth = kDepth) {
  const std::vector<char> exact(document.begin(), document.end());  // no terminator: a sanitizer sees reads past the end
  JsonReader reader(std::string_view(exact.data(), exact.size()), max_depth);
  return reader.SkipValue() && reader.ReadEnd() ? "OK" : reader.status().message();
}

std::string Decoded(const std::string& literal) {
  JsonReader reader(literal, kDepth);
  std::string text;
  return reader.ReadString(&text) && reader.ReadEnd() ? text : reader.status().message();
}

TEST(JsonReader, AcceptsEveryFormOfTheGrammar) {
  for (const char* document :
       {"null", "true", "false", "0", "-0", "-1.5e+10", "1E5", "\"\"", "[]", "{}", " \t\r\n[ ] ", "[[],{}]", R"({"":0})",
        R"({"a":{"b":[1,"2",true,null,{}]},"a":2})", R"(["\"\\\/\b\f\n\r\t\u0041"])", "[1 , 2\n,3 ]", "{ \"a\" : 1 , \"b\" : 2 }",
        "\"\x7f\"", "\"\xC2\x80\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xF0\x90\x80\x80\xF4\x8F\xBF\xBF\""}) {
    EXPECT_EQ(Check(document), "OK") << document;
  }
}

TEST(JsonReader, RefusesEverythingElse) {
  for (const char* document : {"",
                               " ",
                               "nul",
                               "nulll",
                               "True",
                               "tru",
                               "fals",
                               "undefined",
                               "NaN",
                               "Infinity",
                               "-Infinity",
                               "+1",
                               ".5",
                               "5.",
                               "01",
                               "-",
                               "1e",
                               "0x1",
                               "'a'",
                               "[",
                               "]",
                               "[1",
                               "[1,",
                               "[1,]",
                               "[,1]",
                               "[1,,2]",
                               "[1 2]",
                               "[1}",
                               "{",
                               "}",
                               "{]",
                               R"({"a"})",
                               R"({"a":})",
                               R"({"a":1,})",
                               R"({,"a":1})",
                               R"({a:1})",
                               R"({'a':1})",
                               R"({1:1})",
                               R"({"a":1 "b":2})",
                               R"({"a" 1})",
                               R"({"a"::1})",
                               "[] []",
                               "{} x",
                               "1 2",
                               "\"",
                               "\"a",
                               "\"\\\"",
                               R"("\x")",
                               R"("\u12")",
                               R"("\u12g4")",
                               R"("\U0041")",
                               "\"a\nb\"",
                               "\"\t\"",
                               "\"\x1f\"",
                               "// c\n1",
                               "[1]/**/",
                               "\xEF\xBB\xBF[]",
                               "\xC2\xA0[]",
                               "\f[]",
                               "[\"a\",\n4\n,1,"}) {
    EXPECT_NE(Check(document), "OK") << document;
  }
  EXPECT_NE(Check(std::string_view("\0", 1)), "OK");
  EXPECT_NE(Check(std::string_view("\"a\0b\"", 5)), "OK");
  EXPECT_NE(Check(std::string_view("[1]\0", 4)), "OK");
}

TEST(JsonReader, RefusesEveryDocumentThatIsCutShort) {
  const std::string document = R"({"a":[1.5e3,"xé\u00e9\ud83d\ude00",true,false,null,{"b":[[]]}],"c":-0})";
  ASSERT_EQ(Check(document), "OK");
  for (size_t length = 0; length < document.size(); ++length) EXPECT_NE(Check(document.substr(0, length)), "OK") << length;
}

TEST(JsonReader, NamesTheByteAndWhatWasExpectedThere) {
  EXPECT_EQ(Check("[1 2]"), "JSON at byte 3: found '2', expected ',' or ']'");
  EXPECT_EQ(Check("{\"a\""), "JSON at byte 4: found the end, expected ':'");
  EXPECT_EQ(Check("[\x01]"), "JSON at byte 1: found byte 0x01, expected a value");
  EXPECT_EQ(Check("[tru]"), "JSON at byte 1: found 't', expected true");
  EXPECT_EQ(Check("[1] x"), "JSON at byte 4: found 'x', expected the end of the document");
}

TEST(JsonReader, RefusesTextThatIsNotUtf8) {
  for (const char* bad :
       {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC2", "\xE0\x80\x80", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xED\xBF\xBF", "\xE1\x80",
        "\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xFE", "\xF1\x80\x80", "\xC2\x41"}) {
    EXPECT_NE(Check("\"" + std::string(bad) + "\""), "OK");
    EXPECT_NE(Check("\"12345678" + std::string(bad) + "12345678\""), "OK");
    EXPECT_FALSE(IsUtf8(bad));
  }
}

TEST(JsonReader, DecodesEscapesAndSurrogatePairs) {
  EXPECT_EQ(Decoded(R"("\"\\\/\b\f\n\r\t")"), "\"\\/\b\f\n\r\t");
  EXPECT_EQ(Decoded(R"("\u0041\u00e9\u20AC\ud83d\ude00!")"), "A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80!");
  EXPECT_EQ(Decoded(R"("\u0000")"), std::string(1, '\0'));
  EXPECT_EQ(Decoded(R"("\udbff\udfff")"), "\xF4\x8F\xBF\xBF");
}

TEST(JsonReader, RefusesSurrogatesThatStandAlone) {
  for (const char* literal :
       {R"("\ud800")", R"("\ud800x")", R"("\ud800\n")", R"("\ud800\u0041")", R"("\ud800\ud800")", R"("\udc00")", R"("\ude00\ud83d")"}) {
    EXPECT_NE(Decoded(literal).find("expected a surrogate pair"), std::string::npos) << literal;
  }
}

TEST(JsonReader, CountsDepthFromTheDocumentAndStopsBeforeItGoesDeeper) {
  const auto nested = [](size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_EQ(Check(nested(100)), "OK");
  EXPECT_EQ(Check(nested(101)), "JSON at byte 100: nested more than 100 levels deep");
  EXPECT_EQ(Check(std::string(1000000, '[')), "JSON at byte 100: nested more than 100 levels deep");
  std::string objects;
  for (int i = 0; i < 1000000; ++i) objects += "{\"a\":";
  EXPECT_EQ(Check(objects), "JSON at byte 500: nested more than 100 levels deep");
  // Leaving a container gives its level back.
  std::string row = "[";
  for (int i = 0; i < 1000; ++i) row += "[{}],";
  EXPECT_EQ(Check(row + "0]", 3), "OK");
}

TEST(JsonReader, WritesStringsThatReadBackTheSame) {
  std::string every;
  for (uint32_t point = 0; point <= 0x10FFFF; point += point < 0x3000 ? 1 : 97) {
    char text[4];
    if (point < 0xD800 || point > 0xDFFF) every.append(text, EncodeUtf8(point, text));
  }
  std::string literal;
  ASSERT_TRUE(AppendJsonString(every, &literal));
  EXPECT_EQ(Decoded(literal), every);
  literal.clear();
  ASSERT_TRUE(AppendJsonString("a\"b\\c\nd\x01", &literal));
  EXPECT_EQ(literal, R"("a\"b\\c\nd\u0001")");
  literal.clear();
  EXPECT_FALSE(AppendJsonString("ab\xFF", &literal));
  EXPECT_TRUE(literal.empty());
}

}  // namespace
}  // namespace penstock::codec
