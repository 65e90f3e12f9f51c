/* Elementary functions in plain C that the compiler turns into vector code.
 *
 * They have no branch, no call and no table, so that a loop over them vectorises; a value is the same in
 * whatever position it is computed, and by itself. Within 2 ulp everywhere (docs/accuracy.md), with NumPy's
 * values at 0, -0, infinities and nan. The polynomials are interpolants at Chebyshev nodes.
 * The form of this file is that of gl_math.h. */
#ifndef GL_SIMD_H
#define GL_SIMD_H

#include <math.h>

#include "gl_abi.h"

#define GL_FN static inline __attribute__((always_inline))
#define GL_FLOAT(FAMILY) \
  FAMILY(float, float32, f) FAMILY(double, float64, )

/* a b + c, rounded once where the processor can: nothing below relies on that */
#ifdef __FP_FAST_FMA
#define GL_FMA(a, b, c) __builtin_fma(a, b, c)
#define GL_FMAF(a, b, c) __builtin_fmaf(a, b, c)
#else
#define GL_FMA(a, b, c) ((a) * (b) + (c))
#define GL_FMAF(a, b, c) ((a) * (b) + (c))
#endif

/* the float64 with these bits */
GL_FN double gl_from_bits_float64(uint64_t bits) {
  double x;
  __builtin_memcpy(&x, &bits, sizeof x);
  return x;
}

/* the float32 with these bits */
GL_FN float gl_from_bits_float32(uint32_t bits) {
  float x;
  __builtin_memcpy(&x, &bits, sizeof x);
  return x;
}

/* the bits of a float64 */
GL_FN uint64_t gl_bits_float64(double x) {
  uint64_t bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  return bits;
}

/* the bits of a float32 */
GL_FN uint32_t gl_bits_float32(float x) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  return bits;
}

/* x with the lower half of its digits 0, so that its square is exact */
GL_FN double gl_high_float64(double x) {
  return gl_from_bits_float64(gl_bits_float64(x) & 0xfffffffff8000000);
}

/* x with the lower half of its digits 0, so that its square is exact */
GL_FN float gl_high_float32(float x) {
  return gl_from_bits_float32(gl_bits_float32(x) & 0xfffff000);
}

/* what is lost in p = a b */
GL_FN double gl_product_lost_float64(double a, double b, double p) {
#ifdef __FP_FAST_FMA
  return __builtin_fma(a, b, -p);
#else
  const double ah = gl_high_float64(a), al = a - ah, bh = gl_high_float64(b), bl = b - bh;
  return ah * bh - p + ah * bl + al * bh + al * bl;
#endif
}

/* what is lost in p = a b, which float64 holds */
GL_FN float gl_product_lost_float32(float a, float b, float p) {
  return (float)((double)a * (double)b - (double)p);
}

/* ---- exponentials --------------------------------------------------------------------------------- */

/* p 2**k for a whole k: two factors, since 2**k may not be a normal number. The low bits of k + 1.5 * 2**52 are k's */
GL_FN double gl_scaled_float64(double p, double k) {
  const double shift = 0x1.8p52;
  const double shifted = k * 0.5 + shift;
  const double rest = k - (shifted - shift) + shift;
  const double low = gl_from_bits_float64((gl_bits_float64(shifted) + 1023) << 52);
  const double high = gl_from_bits_float64((gl_bits_float64(rest) + 1023) << 52);
  return p * low * high;
}

/* p 2**k for a whole k, as the float64 one */
GL_FN float gl_scaled_float32(float p, float k) {
  const float shift = 0x1.8p23f;
  const float shifted = k * 0.5f + shift;
  const float rest = k - (shifted - shift) + shift;
  const float low = gl_from_bits_float32((gl_bits_float32(shifted) + 127) << 23);
  const float high = gl_from_bits_float32((gl_bits_float32(rest) + 127) << 23);
  return p * low * high;
}

/* p 2**k for 1/2 < p < 2 and t = k + 1.5 * 2**52, where it is less than 2**1024; and where k < -1021, `small` must be 1,
 * which it may be for k < 900 */
GL_FN double gl_raised_float64(double p, double t, uint8_t small) {
  const uint64_t bits = gl_bits_float64(p) + (gl_bits_float64(t) << 52);
  return small ? gl_from_bits_float64(bits + (64ull << 52)) * 0x1p-64 : gl_from_bits_float64(bits);
}

/* p 2**k for 1/2 < p < 2 and t = k + 1.5 * 2**23, where it is less than 2**128; and where k < -125, `small` must be 1,
 * which it may be for k < 60 */
GL_FN float gl_raised_float32(float p, float t, uint8_t small) {
  const uint32_t bits = gl_bits_float32(p) + (gl_bits_float32(t) << 23);
  return small ? gl_from_bits_float32(bits + (64u << 23)) * 0x1p-64f : gl_from_bits_float32(bits);
}

/* (e**r - 1 - r) / r**2 for |r| <= log(2)/2; even and odd powers apart, which need not wait for one another */
GL_FN double gl_exp_tail_float64(double r) {
  const double z = r * r;
  double even = GL_FMA(2.0914717341716378e-09, z, 2.755727357010214e-07);
  even = GL_FMA(even, z, 2.4801587325605324e-05);
  even = GL_FMA(even, z, 0.001388888888888373);
  even = GL_FMA(even, z, 0.04166666666666667);
  even = GL_FMA(even, z, 0.5);
  double odd = GL_FMA(2.5105259538448494e-08, z, 2.7557255297969643e-06);
  odd = GL_FMA(odd, z, 0.0001984126987490126);
  odd = GL_FMA(odd, z, 0.008333333333326112);
  odd = GL_FMA(odd, z, 0.1666666666666667);
  return GL_FMA(odd, r, even);
}

/* (e**r - 1 - r) / r**2 for |r| <= log(2)/2 */
GL_FN float gl_exp_tail_float32(float r) {
  float p = GL_FMAF(0.0001989103f, r, 0.0013933686f);
  p = GL_FMAF(p, r, 0.0083333105f);
  p = GL_FMAF(p, r, 0.041666463f);
  p = GL_FMAF(p, r, 0.16666667f);
  p = GL_FMAF(p, r, 0.5f);
  return p;
}

/* t where e**(x - low) = 2**k (1 + t), for a small low; x - low = k log 2 + r, and what r loses counts */
GL_FN double gl_exp_parts_float64(double x, double low, double *k) {
  *k = GL_FMA(x, 0x1.71547652b82fep0, 0x1.8p52) - 0x1.8p52;
  const double a = GL_FMA(*k, -0x1.62e42fefa2p-1, x); /* exact */
  const double r = GL_FMA(*k, -0x1.9ef35793c7673p-41, a) - low;
  const double lost = GL_FMA(*k, -0x1.9ef35793c7673p-41, a - r) - low;
  return r + GL_FMA(r * r, gl_exp_tail_float64(r), lost);
}

/* t where e**(x - low) = 2**k (1 + t), as the float64 one */
GL_FN float gl_exp_parts_float32(float x, float low, float *k) {
  *k = GL_FMAF(x, 0x1.715476p0f, 0x1.8p23f) - 0x1.8p23f;
  const float a = GL_FMAF(*k, -0x1.62e4p-1f, x); /* exact */
  const float r = GL_FMAF(*k, -0x1.7f7d1cp-20f, a) - low;
  const float lost = GL_FMAF(*k, -0x1.7f7d1cp-20f, a - r) - low;
  return r + GL_FMAF(r * r, gl_exp_tail_float32(r), lost);
}

/* e**x = 2**k e**r, x = k log 2 + r, for e**x < 2**1024; `small` as for gl_raised */
GL_FN double gl_exp_inside_float64(double x, uint8_t small) {
  const double t = GL_FMA(x, 0x1.71547652b82fep0, 0x1.8p52);
  const double k = t - 0x1.8p52;
  const double r = GL_FMA(k, -0x1.9ef35793c7673p-41, GL_FMA(k, -0x1.62e42fefa2p-1, x));
  return gl_raised_float64(GL_FMA(GL_FMA(gl_exp_tail_float64(r), r, 1.0), r, 1.0), t, small);
}

/* e**x = 2**k e**r, x = k log 2 + r, for e**x < 2**128; `small` as for gl_raised */
GL_FN float gl_exp_inside_float32(float x, uint8_t small) {
  const float t = GL_FMAF(x, 0x1.715476p0f, 0x1.8p23f);
  const float k = t - 0x1.8p23f;
  const float r = GL_FMAF(k, -0x1.7f7d1cp-20f, GL_FMAF(k, -0x1.62e4p-1f, x));
  return gl_raised_float32(GL_FMAF(GL_FMAF(gl_exp_tail_float32(r), r, 1.0f), r, 1.0f), t, small);
}

/* y, a function of x that grows as e**x does, where x <= most; else infinity, or nan if x is. (Choosing behind costs
 * two instructions. GCC takes more to cut x off before, with 512 bits: it makes no minimum of a comparison.) */
#define GL_GROWN(T, D, F) \
  GL_FN T gl_grown_##D(T x, T most, T y) { \
    return x <= most ? y : x + __builtin_inf##F(); \
  }
GL_FLOAT(GL_GROWN)

/* e**x */
GL_FN double gl_exp_float64(double x) {
  const double y = gl_grown_float64(x, 0x1.62e42fefa39efp9, gl_exp_inside_float64(x, x < -700.0));
  return x < -746.0 ? 0.0 : y;
}

/* e**x */
GL_FN float gl_exp_float32(float x) {
  const float y = gl_grown_float32(x, 0x1.62e42ep6f, gl_exp_inside_float32(x, x < -86.0f));
  return x < -105.0f ? 0.0f : y;
}

/* 2**r for |r| <= 1/2 */
GL_FN double gl_exp2_near_float64(double r) {
  double p = GL_FMA(4.4549605981865186e-10, r, 7.072585949269223e-09);
  p = GL_FMA(p, r, 1.0178062445845774e-07);
  p = GL_FMA(p, r, 1.321544258792169e-06);
  p = GL_FMA(p, r, 1.525273382983612e-05);
  p = GL_FMA(p, r, 0.0001540353044173605);
  p = GL_FMA(p, r, 0.0013333558146416936);
  p = GL_FMA(p, r, 0.009618129107606888);
  p = GL_FMA(p, r, 0.0555041086648216);
  p = GL_FMA(p, r, 0.24022650695910097);
  p = GL_FMA(p, r, 0.6931471805599453);
  return GL_FMA(p, r, 1.0);
}

/* 2**r for |r| <= 1/2 */
GL_FN float gl_exp2_near_float32(float r) {
  float p = GL_FMAF(1.5297324e-05f, r, 0.00015461445f);
  p = GL_FMAF(p, r, 0.0013333502f);
  p = GL_FMAF(p, r, 0.009618057f);
  p = GL_FMAF(p, r, 0.05550411f);
  p = GL_FMAF(p, r, 0.2402265f);
  p = GL_FMAF(p, r, 0.6931472f);
  return GL_FMAF(p, r, 1.0f);
}

/* 2**x: x = k + r */
GL_FN double gl_exp2_float64(double x) {
  const double t = x + 0x1.8p52;
  const double near = gl_exp2_near_float64(x - (t - 0x1.8p52));
  const double y = gl_grown_float64(x, 0x1.fffffffffffffp9, gl_raised_float64(near, t, x < -1000.0));
  return x < -1080.0 ? 0.0 : y;
}

/* 2**x, as the float64 one */
GL_FN float gl_exp2_float32(float x) {
  const float t = x + 0x1.8p23f;
  const float near = gl_exp2_near_float32(x - (t - 0x1.8p23f));
  const float y = gl_grown_float32(x, 0x1.fffffep6f, gl_raised_float32(near, t, x < -120.0f));
  return x < -155.0f ? 0.0f : y;
}

/* e**x - 1 = 2**k (e**r - 1) + (2**k - 1); half of it at first, since 2**k may be too large */
GL_FN double gl_expm1_float64(double x) {
  const double shifted = GL_FMA(x, 0x1.71547652b82fep0, 0x1.8p52);
  const double k = shifted - 0x1.8p52;
  const double r = GL_FMA(k, -0x1.9ef35793c7673p-41, GL_FMA(k, -0x1.62e42fefa2p-1, x));
  const double p = GL_FMA(r * r, gl_exp_tail_float64(r), r);
  const double half = gl_from_bits_float64((gl_bits_float64(shifted) + 1022) << 52);
  const double y = gl_grown_float64(x, 0x1.62e42fefa39efp9, 2.0 * GL_FMA(half, p, half - 0.5));
  const double far = x < -40.0 ? -1.0 : y;
  return fabs(x) < 0x1p-54 ? x : far;
}

/* e**x - 1, as the float64 one */
GL_FN float gl_expm1_float32(float x) {
  const float shifted = GL_FMAF(x, 0x1.715476p0f, 0x1.8p23f);
  const float k = shifted - 0x1.8p23f;
  const float r = GL_FMAF(k, -0x1.7f7d1cp-20f, GL_FMAF(k, -0x1.62e4p-1f, x));
  const float p = GL_FMAF(r * r, gl_exp_tail_float32(r), r);
  const float half = gl_from_bits_float32((gl_bits_float32(shifted) + 126) << 23);
  const float y = gl_grown_float32(x, 0x1.62e42ep6f, 2.0f * GL_FMAF(half, p, half - 0.5f));
  const float far = x < -20.0f ? -1.0f : y;
  return fabsf(x) < 0x1p-25f ? x : far;
}

/* (sinh(x)/x - 1) / x**2 for z = x**2 <= 1 */
GL_FN double gl_sinh_tail_float64(double z) {
  double p = GL_FMA(7.746178593018827e-13, z, 1.6057679623801638e-10);
  p = GL_FMA(p, z, 2.5052117695907823e-08);
  p = GL_FMA(p, z, 2.7557319191381816e-06);
  p = GL_FMA(p, z, 0.00019841269841324198);
  p = GL_FMA(p, z, 0.008333333333333299);
  p = GL_FMA(p, z, 0.16666666666666666);
  return p;
}

/* (sinh(x)/x - 1) / x**2 for z = x**2 <= 1 */
GL_FN float gl_sinh_tail_float32(float z) {
  float p = GL_FMAF(2.8062802e-06f, z, 0.00019838102f);
  p = GL_FMAF(p, z, 0.008333339f);
  p = GL_FMAF(p, z, 0.16666667f);
  return p;
}

/* h = e**|x| / 2, which does not overflow where that of sinh and cosh do not */
#define GL_HALF_EXP(T, D, F) \
  GL_FN T gl_half_exp_##D(T x) { \
    const T end = sizeof(T) == 4 ? 90 : 711; \
    T k; \
    const T t = gl_exp_parts_##D(fabs##F(x) > end ? end : fabs##F(x), 0, &k); \
    return gl_scaled_##D(1 + t, k - 1); \
  }
GL_FLOAT(GL_HALF_EXP)

/* sinh x = h - 1/(4h), h = e**|x| / 2; by its series where these are close */
#define GL_SINH(T, D, F) \
  GL_FN T gl_sinh_##D(T x) { \
    const T h = gl_half_exp_##D(x), z = x * x; \
    const T near = fabs##F(x) + fabs##F(x) * z * gl_sinh_tail_##D(z); \
    return x != x ? x : copysign##F(fabs##F(x) < 1 ? near : h - (T)0.25 / h, x); \
  }
GL_FLOAT(GL_SINH)

/* cosh x = h + 1/(4h), h = e**|x| / 2 */
#define GL_COSH(T, D, F) \
  GL_FN T gl_cosh_##D(T x) { \
    const T h = gl_half_exp_##D(x); \
    return h + (T)0.25 / h; \
  }
GL_FLOAT(GL_COSH)

/* tanh x = 1 - 2 / (e**2x + 1); by its series where that is small */
GL_FN double gl_tanh_float64(double x) {
  const double size = fabs(x) > 22.0 ? 22.0 : fabs(x);
  const double z = x * x;
  double p = GL_FMA(5.237376455946898e-06, z, -2.8323737636409676e-05);
  p = GL_FMA(p, z, 8.969963799747238e-05);
  p = GL_FMA(p, z, -0.0002359680344622479);
  p = GL_FMA(p, z, 0.0005890903730626637);
  p = GL_FMA(p, z, -0.001455646487258809);
  p = GL_FMA(p, z, 0.0035921030161823533);
  p = GL_FMA(p, z, -0.008863233405238577);
  p = GL_FMA(p, z, 0.021869488429240747);
  p = GL_FMA(p, z, -0.053968253965464986);
  p = GL_FMA(p, z, 0.13333333333330474);
  p = GL_FMA(p, z, -0.33333333333333326);
  const double far = 1.0 - 2.0 / (gl_exp_inside_float64(size + size, 0) + 1.0);
  const double y = size < 0.7 ? GL_FMA(size * z, p, size) : far;
  return x != x ? x : copysign(y, x);
}

/* tanh x, as the float64 one */
GL_FN float gl_tanh_float32(float x) {
  const float size = fabsf(x) > 10.0f ? 10.0f : fabsf(x);
  const float z = x * x;
  float p = GL_FMAF(0.0020604029f, z, -0.008113265f);
  p = GL_FMAF(p, z, 0.021689313f);
  p = GL_FMAF(p, z, -0.053948157f);
  p = GL_FMAF(p, z, 0.1333325f);
  p = GL_FMAF(p, z, -0.3333333f);
  const float far = 1.0f - 2.0f / (gl_exp_inside_float32(size + size, 0) + 1.0f);
  const float y = size < 0.7f ? GL_FMAF(size * z, p, size) : far;
  return x != x ? x : copysignf(y, x);
}

/* 1 / (1 + e**-x), from e = e**-|x| = 2**k (1 + t); where it is e / (1 + e), t makes up for what 1 + e loses */
GL_FN double gl_sigmoid_float64(double x) {
  double k;
  const double size = fabs(x) > 746.0 ? 746.0 : fabs(x);
  const double t = gl_exp_parts_float64(-size, 0.0, &k);
  const double e = gl_raised_float64(1.0 + t, k + 0x1.8p52, size > 700.0);
  const double d = 1.0 + e;
  const double lost = ((1.0 - d) + e) * (1.0 - 0.5 * e);
  const double over = x < 0.0 ? gl_raised_float64(1.0 + (t - lost), k + 0x1.8p52, size > 700.0) : 1.0;
  return x != x ? x : over / d;
}

/* 1 / (1 + e**-x), as the float64 one */
GL_FN float gl_sigmoid_float32(float x) {
  float k;
  const float size = fabsf(x) > 105.0f ? 105.0f : fabsf(x);
  const float t = gl_exp_parts_float32(-size, 0.0f, &k);
  const float e = gl_raised_float32(1.0f + t, k + 0x1.8p23f, size > 86.0f);
  const float d = 1.0f + e;
  const float lost = ((1.0f - d) + e) * (1.0f - 0.5f * e);
  const float over = x < 0.0f ? gl_raised_float32(1.0f + (t - lost), k + 0x1.8p23f, size > 86.0f) : 1.0f;
  return x != x ? x : over / d;
}

/* ---- logarithms ----------------------------------------------------------------------------------- */

/* log((1 + s)/(1 - s)) - 2s over s, for z = s**2 and |s| <= 0.172 */
GL_FN double gl_log_tail_float64(double z) {
  double p = GL_FMA(0.146171283998073, z, 0.15331666676597175);
  p = GL_FMA(p, z, 0.1818289077802613);
  p = GL_FMA(p, z, 0.22222211112104948);
  p = GL_FMA(p, z, 0.2857142862611452);
  p = GL_FMA(p, z, 0.399999999998992);
  p = GL_FMA(p, z, 0.6666666666666667);
  return p * z;
}

/* log((1 + s)/(1 - s)) - 2s over s, for z = s**2 and |s| <= 0.172 */
GL_FN float gl_log_tail_float32(float z) {
  float p = GL_FMAF(0.2333104f, z, 0.285508f);
  p = GL_FMAF(p, z, 0.40000123f);
  p = GL_FMAF(p, z, 0.6666667f);
  return p * z;
}

/* x = 2**k m with sqrt(1/2) <= m < sqrt(2): returns m; for positive finite x */
GL_FN double gl_mantissa_float64(double x, double *k) {
  const double scale = x < 0x1p-1022 ? 0x1p54 : 1.0;
  const uint64_t bits = gl_bits_float64(x * scale) + (0x3ff0000000000000 - 0x3fe6a09e667f3bcd);
  *k = gl_from_bits_float64(bits >> 52 | 0x4330000000000000) - (x < 0x1p-1022 ? 0x1p52 + 1077 : 0x1p52 + 1023);
  return gl_from_bits_float64((bits & 0xfffffffffffff) + 0x3fe6a09e667f3bcd);
}

/* x = 2**k m with sqrt(1/2) <= m < sqrt(2): returns m; for positive finite x */
GL_FN float gl_mantissa_float32(float x, float *k) {
  const float scale = x < 0x1p-126f ? 0x1p24f : 1.0f;
  const uint32_t bits = gl_bits_float32(x * scale) + (0x3f800000 - 0x3f3504f3);
  *k = gl_from_bits_float32(bits >> 23 | 0x4b000000) - (x < 0x1p-126f ? 0x1p23f + 151 : 0x1p23f + 127);
  return gl_from_bits_float32((bits & 0x7fffff) + 0x3f3504f3);
}

/* y, a logarithm of x, where x is positive and finite; else that of 0, infinity, negative numbers and nan */
#define GL_LOG_ENDS(T, D, F) \
  GL_FN T gl_log_ends_##D(T x, T y) { \
    const T positive = x < __builtin_inf##F() ? y : x; \
    return x > 0 ? positive : x == 0 ? -__builtin_inf##F() : __builtin_nan##F(""); \
  }
GL_FLOAT(GL_LOG_ENDS)

/* log(2**k (1 + f)) with s = f / (2 + f): log(1 + f) = f - (h - s (h + R)), h = f**2 / 2 */
GL_FN double gl_log_float64(double x) {
  double k;
  const double f = gl_mantissa_float64(x, &k) - 1.0;
  const double s = f / (2.0 + f);
  const double h = 0.5 * f * f;
  const double tail = s * (h + gl_log_tail_float64(s * s));
  const double low = h - GL_FMA(k, 0x1.9ef35793c7673p-41, tail);
  return gl_log_ends_float64(x, GL_FMA(k, 0x1.62e42fefa2p-1, f - low));
}

/* log x, as the float64 one */
GL_FN float gl_log_float32(float x) {
  float k;
  const float f = gl_mantissa_float32(x, &k) - 1.0f;
  const float s = f / (2.0f + f);
  const float h = 0.5f * f * f;
  const float tail = s * (h + gl_log_tail_float32(s * s));
  const float low = h - GL_FMAF(k, 0x1.7f7d1cp-20f, tail);
  return gl_log_ends_float32(x, GL_FMAF(k, 0x1.62e4p-1f, f - low));
}

/* log(1 + f) = high + low, where high has so few digits that products with it are exact; 1 + f = m, k as above */
GL_FN double gl_log_split_float64(double x, double *k, double *low) {
  const double f = gl_mantissa_float64(x, k) - 1.0;
  const double s = f / (2.0 + f);
  const double h = 0.5 * f * f;
  const double high = gl_from_bits_float64(gl_bits_float64(f - h) & 0xffffffff00000000);
  *low = (f - high) - h + s * (h + gl_log_tail_float64(s * s));
  return high;
}

/* log2 x = k + log(1 + f) / log 2 */
GL_FN double gl_log2_float64(double x) {
  double k, low;
  const double high = gl_log_split_float64(x, &k, &low);
  const double first = high * 0x1.71547p0;
  const double rest = (low + high) * 0x1.94ae0bf85ddf4p-22 + low * 0x1.71547p0;
  const double sum = k + first;
  return gl_log_ends_float64(x, sum + (rest + ((k - sum) + first)));
}

/* log(1 + f) = high + low, as the float64 one */
GL_FN float gl_log_split_float32(float x, float *k, float *low) {
  const float f = gl_mantissa_float32(x, k) - 1.0f;
  const float s = f / (2.0f + f);
  const float h = 0.5f * f * f;
  const float high = gl_high_float32(f - h);
  *low = (f - high) - h + s * (h + gl_log_tail_float32(s * s));
  return high;
}

/* log2 x, as the float64 one */
GL_FN float gl_log2_float32(float x) {
  float k, low;
  const float high = gl_log_split_float32(x, &k, &low);
  const float first = high * 0x1.714p0f;
  const float rest = (low + high) * 0.0003122284f + low * 0x1.714p0f;
  const float sum = k + first;
  return gl_log_ends_float32(x, sum + (rest + ((k - sum) + first)));
}

/* log10 x = k log10 2 + log(1 + f) / log 10 */
GL_FN double gl_log10_float64(double x) {
  double k, low;
  const double high = gl_log_split_float64(x, &k, &low);
  const double first = high * 0x1.bcb7bp-2;
  const double rest = (low + high) * 0x1.526e50e32a6abp-26 + low * 0x1.bcb7bp-2;
  const double whole = k * 0x1.34413509f6p-2;
  const double sum = whole + first;
  return gl_log_ends_float64(x, sum + (k * 0x1.9fef311f12b36p-42 + rest + ((whole - sum) + first)));
}

/* log10 x, as the float64 one */
GL_FN float gl_log10_float32(float x) {
  float k, low;
  const float high = gl_log_split_float32(x, &k, &low);
  const float first = high * 0x1.bcap-2f;
  const float rest = (low + high) * 9.038034e-05f + low * 0x1.bcap-2f;
  const float whole = k * 0x1.344p-2f;
  const float sum = whole + first;
  return gl_log_ends_float32(x, sum + (k * 4.605039e-06f + rest + ((whole - sum) + first)));
}

/* log(1 + x), as log(u) for u = 1 + x rounded, and what was rounded off over u */
GL_FN double gl_log1p_float64(double x) {
  const double u = 1.0 + x;
  const double lost = x < 1.0 ? x - (u - 1.0) : 1.0 - (u - x);
  double k;
  const double f = gl_mantissa_float64(u, &k) - 1.0;
  const double s = f / (2.0 + f);
  const double h = 0.5 * f * f;
  const double tail = GL_FMA(s, h + gl_log_tail_float64(s * s), lost / u);
  const double low = h - GL_FMA(k, 0x1.9ef35793c7673p-41, tail);
  const double y = gl_log_ends_float64(u, GL_FMA(k, 0x1.62e42fefa2p-1, f - low));
  return fabs(x) < 0x1p-54 ? x : y;
}

/* log(1 + x), as the float64 one */
GL_FN float gl_log1p_float32(float x) {
  const float u = 1.0f + x;
  const float lost = x < 1.0f ? x - (u - 1.0f) : 1.0f - (u - x);
  float k;
  const float f = gl_mantissa_float32(u, &k) - 1.0f;
  const float s = f / (2.0f + f);
  const float h = 0.5f * f * f;
  const float tail = GL_FMAF(s, h + gl_log_tail_float32(s * s), lost / u);
  const float low = h - GL_FMAF(k, 0x1.7f7d1cp-20f, tail);
  const float y = gl_log_ends_float32(u, GL_FMAF(k, 0x1.62e4p-1f, f - low));
  return fabsf(x) < 0x1p-25f ? x : y;
}

/* log(1 + e**x) = max(x, 0) + log1p(e**-|x|) */
#define GL_SOFTPLUS(T, D, F) \
  GL_FN T gl_softplus_##D(T x) { \
    const T small = gl_log1p_##D(gl_exp_##D(-fabs##F(x))); \
    return x > 0 ? x + small : small; \
  }
GL_FLOAT(GL_SOFTPLUS)

/* log(e**a + e**b); equal infinities have no difference */
#define GL_LOGADDEXP(T, D, F) \
  GL_FN T gl_logaddexp_##D(T a, T b) { \
    const T d = a - b; \
    const T y = (d > 0 ? a : b) + gl_log1p_##D(gl_exp_##D(-fabs##F(d))); \
    return a == b ? a + (T)0.69314718055994530942 : d == d ? y : d; \
  }
GL_FLOAT(GL_LOGADDEXP)

/* ---- powers --------------------------------------------------------------------------------------- */

/* log x = high + low to 68 bits for positive finite x: k log 2 + 2s + s**3 (2/3 + s**2 P(s**2)), s = (m - 1)/(m + 1) */
GL_FN double gl_log_precise_float64(double x, double *low) {
  double k;
  const double m = gl_mantissa_float64(x, &k);
  const double f = m - 1.0, u = m + 1.0;
  const double inverse = 1.0 / u;
  const double s = f * inverse;
  const double su = s * u;
  const double s_low = ((f - su) - gl_product_lost_float64(s, u, su) - s * (m - (u - 1.0))) * inverse;
  const double z = s * s;
  const double z_low = gl_product_lost_float64(s, s, z) + 2.0 * s * s_low;
  double p = GL_FMA(0.12914104107774088, z, 0.13285918069433095);
  p = GL_FMA(p, z, 0.15385575981100785);
  p = GL_FMA(p, z, 0.18181808231280466);
  p = GL_FMA(p, z, 0.22222222271202);
  p = GL_FMA(p, z, 0.28571428571338287);
  p = GL_FMA(p, z, 0.40000000000000024);
  const double q = p * z;
  const double c = 0x1.5555555555555p-1 + q; /* 2/3 + z P(z) = c + c_low */
  const double c_low = 0x1.5555555555555p-1 - c + q + 0x1.5555555555555p-55;
  const double cube = s * z;
  const double cube_low = gl_product_lost_float64(s, z, cube) + (s * z_low + s_low * z);
  const double t = cube * c;
  const double t_low = gl_product_lost_float64(cube, c, t) + (cube * c_low + cube_low * c);
  const double whole = k * 0x1.62e42fefa2p-1; /* exact */
  const double a = whole + 2.0 * s;
  const double a_low = k == 0.0 ? 0.0 : whole - a + 2.0 * s;
  const double sum = a + t;
  const double rest = (a - sum + t) + (a_low + (k * 0x1.9ef35793c7673p-41 + (t_low + 2.0 * s_low)));
  const double high = sum + rest;
  *low = sum - high + rest;
  return high;
}

/* 1 where the whole number that y is is odd, else 0 */
#define GL_IS_ODD(T, D, F) \
  GL_FN uint8_t gl_is_odd_##D(T y) { \
    return floor##F(y) == y && floor##F(y * (T)0.5) != y * (T)0.5; \
  }
GL_FLOAT(GL_IS_ODD)

/* y, which is |a|**b, as a**b: the sign, and where a is 0 or infinite or below 0, and where b is 0 or infinite */
#define GL_POWER_ENDS(T, D, F) \
  GL_FN T gl_power_ends_##D(T a, T b, T y) { \
    const T inf = __builtin_inf##F(), size = fabs##F(a); \
    const T grown = (size > 1) == (b > 0) ? inf : 0; \
    const T ends = size == 0 || size == inf || fabs##F(b) == inf ? grown : y; \
    const T sign = gl_is_odd_##D(b) && fabs##F(b) < inf ? copysign##F(1, a) : 1; \
    const uint8_t no_number = a < 0 && size < inf && floor##F(b) != b; \
    const T number = a != a || b != b ? a + b : no_number ? __builtin_nan##F("") : sign * ends; \
    return b == 0 || a == 1 || (a == -1 && fabs##F(b) == inf) ? 1 : number; \
  }
GL_FLOAT(GL_POWER_ENDS)

/* a**b = e**(b log |a|), with the logarithm and the product in two parts */
GL_FN double gl_power_float64(double a, double b) {
  double low;
  const double high = gl_log_precise_float64(fabs(a), &low);
  const double bounded = fabs(b) > 0x1p65 ? copysign(0x1p65, b) : b;
  const double y = bounded * high;
  const double y_low = gl_product_lost_float64(bounded, high, y) + bounded * low;
  const double above = y > 709.9 ? 709.9 : y;
  const double cut = above < -746.0 ? -746.0 : above;
  double k;
  const double t = gl_exp_parts_float64(cut, cut == y ? -y_low : 0.0, &k);
  return gl_power_ends_float64(a, b, gl_scaled_float64(1.0 + t, k));
}

/* a**b, in float64, with polynomials for float32 */
GL_FN float gl_power_float32(float a, float b) {
  double k;
  const double f = gl_mantissa_float64(fabs((double)a), &k) - 1.0;
  const double s = f / (2.0 + f), z = s * s;
  double p = GL_FMA(0.19363269337368547, z, 0.2219136913777296);
  p = GL_FMA(p, z, 0.2857175503521375);
  p = GL_FMA(p, z, 0.3999999879489152);
  p = GL_FMA(p, z, 0.6666666666737688);
  const double y = (double)b * GL_FMA(k, 0x1.62e42fefa39efp-1, GL_FMA(s * z, p, 2.0 * s));
  const double above = y > 89.0 ? 89.0 : y;
  const double bounded = above < -105.0 ? -105.0 : above;
  const double shifted = GL_FMA(bounded, 0x1.71547652b82fep0, 0x1.8p52);
  const double r = GL_FMA(shifted - 0x1.8p52, -0x1.62e42fefa39efp-1, bounded);
  double q = GL_FMA(0.00019891030654370327, r, 0.0013933685862617174);
  q = GL_FMA(q, r, 0.008333310889582076);
  q = GL_FMA(q, r, 0.04166646460202654);
  q = GL_FMA(q, r, 0.16666666681659179);
  q = GL_FMA(q, r, 0.5000000013498178);
  const double scale = gl_from_bits_float64((gl_bits_float64(shifted) + 1023) << 52);
  return gl_power_ends_float32(a, b, (float)(GL_FMA(r * r, q, 1.0 + r) * scale));
}

/* m**(-1/3) to 17 bits for sqrt(1/2) <= m < sqrt(2) */
GL_FN double gl_cbrt_start_float64(double m) {
  double p = GL_FMA(-0.10484262703707782, m, 0.683577431562695);
  p = GL_FMA(p, m, -1.8620663942011886);
  p = GL_FMA(p, m, 2.754857752141042);
  p = GL_FMA(p, m, -2.4668647417873153);
  p = GL_FMA(p, m, 1.995341481913526);
  return p;
}

/* m**(-1/3) to 12 bits for sqrt(1/2) <= m < sqrt(2) */
GL_FN float gl_cbrt_start_float32(float m) {
  float p = GL_FMAF(-0.15440032f, m, 0.7000734f);
  p = GL_FMAF(p, m, -1.271944f);
  p = GL_FMAF(p, m, 1.7260776f);
  return p;
}

/* the cube root of x = 2**3q w as 2**q w r**2, r = w**(-1/3): r by a polynomial, then by Halley's and Newton's steps */
#define GL_CBRT(T, D, F) \
  GL_FN T gl_cbrt_##D(T x) { \
    const T shift = sizeof(T) == 4 ? (T)0x1.8p23 : (T)0x1.8p52, third = (T)0.33333333333333331; \
    T k; \
    const T m = gl_mantissa_##D(fabs##F(x), &k); \
    const T q = (k * third + shift) - shift; \
    const T j = k - 3 * q; \
    const T w = m * (j > 0 ? 2 : j < 0 ? (T)0.5 : 1); \
    const T start = gl_cbrt_start_##D(m) * (j > 0 ? (T)0x1.965fea53d6e3dp-1 : j < 0 ? (T)0x1.428a2f98d728bp0 : 1); \
    const T h = 1 - w * start * start * start; \
    const T r = start + start * h * (third + (T)0.22222222222222221 * h); \
    const T y = w * r * r; \
    const T yy = y * y, yyy = yy * y; \
    const T rest = (w - yyy) - (gl_product_lost_##D(yy, y, yyy) + y * gl_product_lost_##D(y, y, yy)); \
    const T root = gl_scaled_##D(y + rest * (r * r) * third, q); \
    return x == 0 || !(fabs##F(x) < __builtin_inf##F()) ? x : copysign##F(root, x); \
  }
GL_FLOAT(GL_CBRT)

/* sqrt(x**2 + y**2), scaled so that no square is too large or too small */
GL_FN double gl_hypot_float64(double x, double y) {
  const double a = fabs(x) > fabs(y) ? fabs(x) : fabs(y), b = fabs(x) > fabs(y) ? fabs(y) : fabs(x);
  const double scale = a > 0x1p500 ? 0x1p-600 : a < 0x1p-400 ? 0x1p600 : 1.0;
  const double back = a > 0x1p500 ? 0x1p600 : a < 0x1p-400 ? 0x1p-600 : 1.0;
  const double root = sqrt(GL_FMA(a * scale, a * scale, b * scale * (b * scale))) * back;
  return fabs(x) == __builtin_inf() || fabs(y) == __builtin_inf() ? __builtin_inf() : root;
}

/* sqrt(x**2 + y**2), in float64 */
GL_FN float gl_hypot_float32(float x, float y) {
  const double root = sqrt((double)x * (double)x + (double)y * (double)y);
  return fabsf(x) == __builtin_inff() || fabsf(y) == __builtin_inff() ? __builtin_inff() : (float)root;
}

#endif
