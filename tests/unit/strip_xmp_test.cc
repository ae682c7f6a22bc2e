// strip_xmp_test.cc — names that are secrets go as attributes and as elements; the packet stays XML.
#include "media/strip_xmp.h"

#include <string>

#include "fake/pictures.h"

using namespace cloakroom;
using namespace std::string_literals;

namespace {

std::string gps(const std::string& packet) {
  std::string out = stripped_xmp(packet, StripMode::kGps);
  CHECK_EQ(out.size(), packet.size());
  return out;
}
std::string spaces(std::string_view like) {
  return std::string(like.size(), ' ');
}

}  // namespace

static void attributes_become_spaces() {
  CHECK_EQ(gps("<a b='1' exif:GPSLatitude = \"5>2/'\" c='2'/>"),
           "<a b='1' " + spaces("exif:GPSLatitude = \"5>2/'\"") + " c='2'/>");
  CHECK_EQ(gps("<a aux:SerialNumber='1'>x</a>"), "<a " + spaces("aux:SerialNumber='1'") + ">x</a>");
}

static void elements_go_with_all_that_is_in_them() {
  const std::string gone =
      "<exif:GPSInfo x='>'><rdf:Bag><exif:GPSInfo/><exif:GPSInfo>1</exif:GPSInfo></rdf:Bag><!-- </exif:GPSInfo> "
      "--><![CDATA[</exif:GPSInfo>]]></exif:GPSInfo >";
  CHECK_EQ(gps("<a>" + gone + "<b/></a>"), "<a>" + spaces(gone) + "<b/></a>");
  CHECK_EQ(gps("<a><x:GPSAltitude/>y</a>"), "<a>" + spaces("<x:GPSAltitude/>") + "y</a>");
}

static void names_are_known_by_any_prefix() {
  for (const char* name :
       {"exif:GPSLatitude", "n1:GpsLongitude", "GPSPosition", "aux:SerialNumber", "exifEX:BodySerialNumber",
        "drone-dji:GpsLongtitude", "drone-dji:AbsoluteAltitude", "Lens Serial Number", "geo:lat", "aux:OwnerName",
        "exifEX:CameraOwnerName", "GCamera:HdrPlusMakernote", "camera_serial_number"}) {
    if (!is_secret_name(name)) t::raise(__FILE__, __LINE__, name);
  }
  for (const char* name :
       {"dc:title", "tiff:Orientation", "tiff:Model", "xmp:CreateDate", "photoshop:City", "", ":", "dc:relation"}) {
    if (is_secret_name(name)) t::raise(__FILE__, __LINE__, name);
  }
}

static void pictures_within_the_packet_and_comments_go() {
  CHECK_EQ(gps("<a GImage:Data='/9j/'/>"), "<a " + spaces("GImage:Data='/9j/'") + "/>");
  CHECK_EQ(gps("<a><!-- GPS 52 --></a>"), "<a>" + spaces("<!-- GPS 52 -->") + "</a>");
  CHECK_EQ(gps("<a><![CDATA[<kept>]]></a>"), "<a><![CDATA[<kept>]]></a>");
}

static void what_says_nothing_stays_as_it_is() {
  const std::string packet =
      "\xEF\xBB\xBF<?xpacket?> <a b = 'c'\n d=\"e\"><f>\xC3\xA4</f></a><?xpacket end='w'?>"s + std::string(3, '\0');
  CHECK_EQ(gps(packet), packet);
  CHECK_EQ(gps(""), "");
  CHECK_EQ(gps("  \n"), "  \n");
}

static void what_is_no_xml_goes_whole() {
  const std::string secret = " SERIAL-SECRET                         ";
  for (const std::string& bad :
       {"text"s, "<a><"s, "<a b>"s, "<a b=c>"s, "<a b='c>"s, "<a"s, "<!DOCTYPE a>"s, "<!-- "s, "<? "s, "<![CDATA["s,
        "</a"s, "<>"s, "<a 'b'='c'>"s, "<a><x:GPSAltitude>1</b>"s, "<a \0/>"s}) {
    const std::string packet = bad.find('>') == std::string::npos ? bad + secret : secret + bad;
    if (gps(packet) != empty_xmp(packet.size())) t::raise(__FILE__, __LINE__, bad);
  }
  CHECK_EQ(gps("<a \0/>"s), "      ");
}

static void all_leaves_an_empty_packet() {
  const std::string after = stripped_xmp(fake::secret_xmp(), StripMode::kAll);
  CHECK_EQ(after, empty_xmp(fake::secret_xmp().size()));
  CHECK(after.starts_with("<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"/>   "));
  CHECK_EQ(empty_xmp(5), "     ");
}

static void cut_at_any_byte_it_keeps_its_length_and_no_secret() {
  const std::string whole = fake::secret_xmp();
  CHECK(gps(whole).find("A title") != std::string::npos && gps(whole).find("<xmp:Rating>5<") != std::string::npos);
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const std::string after = gps(whole.substr(0, size));
    CHECK(!fake::has_secret(after));
    CHECK_EQ(gps(after), after);
  }
}

int main() {
  const CMUnitTest tests[] = {
      CASE(attributes_become_spaces),         CASE(elements_go_with_all_that_is_in_them),
      CASE(names_are_known_by_any_prefix),    CASE(pictures_within_the_packet_and_comments_go),
      CASE(what_says_nothing_stays_as_it_is), CASE(what_is_no_xml_goes_whole),
      CASE(all_leaves_an_empty_packet),       CASE(cut_at_any_byte_it_keeps_its_length_and_no_secret),
  };
  return RUN_TESTS("strip_xmp", tests);
}
