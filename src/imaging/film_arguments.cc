// film_arguments.cc — one list of words after the other.
#include "imaging/film_arguments.h"

#include "base/limits.h"

namespace cloakroom {
namespace {

constexpr const char* kPictures =
    "h264,hevc,libdav1d,av1,vp8,vp9,mpeg4,mpeg1video,mpeg2video,h263,theora,mjpeg,prores,dvvideo,flv,vp6,vp6f,"
    "msmpeg4v1,msmpeg4v2,msmpeg4,wmv1,wmv2,wmv3,vc1,dnxhd,rawvideo,ffv1,cinepak,svq3";
constexpr const char* kSounds =
    "aac,mp3float,mp3,mp2float,mp2,opus,libopus,vorbis,libvorbis,flac,alac,ac3,eac3,amrnb,amrwb,wmav1,wmav2,gsm_ms,"
    "adpcm_ms,adpcm_ima_wav,adpcm_ima_qt,pcm_u8,pcm_s8,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_s32be,"
    "pcm_f32le,pcm_f32be,pcm_f64le,pcm_alaw,pcm_mulaw,dca,truehd,mlp,wmapro,wmavoice,speex,libspeex,nellymoser,"
    "adpcm_swf,adpcm_yamaha,aac_latm,mp1float,mp1,pcm_bluray,pcm_dvd";
// ffprobe opens what it describes, covers and subtitles too, and gives up over one that it may not: a sound that is on
// no list costs a film its picture.
constexpr const char* kBeside = "png,bmp,srt,subrip,ass,ssa,mov_text,webvtt,text,dvdsub,dvbsub,pgssub";

constexpr const char* kLookedThrough = "5000000";  // bytes, and microseconds, before ffmpeg says what is in a film

// Drawn as wide as the usual largest variant.
constexpr const char* kWaveform = "[0:a:0]aformat=channel_layouts=mono,showwavespic=s=1600x400:colors=0x5b7fa6";

// Pixels made square where they nearly are, and the colours of JPEG whatever those of the film are.
constexpr const char* kUpright =
    "scale=iw*if(between(sar\\,0.25\\,4)\\,sar\\,1):ih:out_color_matrix=bt601:out_range=pc,setsar=1";

void add(Arguments& to, std::initializer_list<std::string> more) {
  to.insert(to.end(), more);
}

void allow(Arguments& to, const FilmKind& kind, const std::string& codecs) {
  const std::string demuxer(kind.demuxer);
  add(to, {"-f", demuxer, "-format_whitelist", demuxer, "-protocol_whitelist", "file", "-codec_whitelist", codecs,
           "-probesize", kLookedThrough, "-analyzeduration", kLookedThrough});
}

std::string input() {
  return "file:/proc/self/fd/" + std::to_string(kFilmDescriptor);
}

Arguments of_ffmpeg() {
  return {"-hide_banner", "-v", "error", "-nostdin", "-threads", "1"};
}

// One picture, without the names and places that the film may have.
void write_one(Arguments& to, std::initializer_list<std::string> codec) {
  add(to, {"-frames:v", "1", "-threads:v", "1"});
  add(to, codec);
  add(to, {"-map_metadata", "-1", "-f", "image2pipe", "pipe:1"});
}

}  // namespace

Arguments film_facts_arguments(const FilmKind& kind, std::uint64_t max_pixels) {
  Arguments words{"-hide_banner", "-v", "error", "-of", "json=c=1"};
  allow(words, kind, std::string(kPictures) + "," + kSounds + "," + kBeside);
  add(words,
      {"-max_pixels", std::to_string(max_pixels), "-show_entries",
       "format=duration:stream=codec_type,width,height,duration:stream_disposition=attached_pic", "-i", input()});
  return words;
}

Arguments poster_arguments(const FilmKind& kind, const Poster& wanted) {
  Arguments words = of_ffmpeg();
  allow(words, kind, kPictures);
  add(words, {"-max_pixels", std::to_string(wanted.max_pixels)});
  if (wanted.is_near) add(words, {"-skip_frame", "nokey", "-noaccurate_seek"});
  if (wanted.at.count() > 0) add(words, {"-ss", std::to_string(wanted.at.count()) + "ms"});
  // passthrough: a frame before the moment has a negative time, and would be dropped
  add(words, {"-i", input(), "-map", "0:V:0", "-fps_mode", "passthrough", "-filter_threads", "1", "-vf", kUpright});
  write_one(words, {"-c:v", "mjpeg", "-q:v", "2", "-pix_fmt", "yuvj420p"});
  return words;
}

Arguments waveform_arguments(const FilmKind& kind) {
  Arguments words = of_ffmpeg();
  allow(words, kind, kSounds);
  add(words, {"-t", std::to_string(limits::kDrawnSoundSeconds), "-i", input(), "-filter_complex_threads", "1",
              "-filter_complex", kWaveform});
  write_one(words, {"-c:v", "png"});
  return words;
}

}  // namespace cloakroom
