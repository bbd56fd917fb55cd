// Kernels of the GPU measurements as PTX text, which the driver compiles itself: no nvcc is needed where they run.
#pragma once

namespace penstock::bench {

inline constexpr char kKernels[] = R"(
.version 7.5
.target sm_75
.address_size 64

.visible .entry empty() { ret; }

// Writes where nobody may.
.visible .entry write_anywhere() {
  .reg .u64 %address;
  .reg .u32 %value;
  mov.u64 %address, 64;
  mov.u32 %value, 1;
  st.global.u32 [%address], %value;
  ret;
}

// Never ends while the word at `flag` is 0.
.visible .entry wait_for(.param .u64 flag) {
  .reg .u64 %address;
  .reg .u32 %value;
  .reg .pred %over;
  ld.param.u64 %address, [flag];
again:
  ld.volatile.global.u32 %value, [%address];
  setp.ne.u32 %over, %value, 0;
  @!%over bra again;
  ret;
}
)";

}  // namespace penstock::bench
