/* sin, cos and tan, and the functions that give their angles back, as vector code.
 *
 * gl_near_... are for arguments that are not huge: loops look at their arguments first (codegen/near.py).
 *
 * The form of this file is that of gl_math.h, the manner that of gl_simd.h. */
#ifndef GL_WAVES_H
#define GL_WAVES_H

#include "gl_simd.h"

/* ---- waves ---------------------------------------------------------------------------------------- */

/* x - n pi/2 = r + low for whole |n| <= 2**20; pi/2 is in three parts */
GL_FN void gl_less_quarters_float64(double x, double n, double *r, double *low) {
  const double a = GL_FMA(n, -0x1.921fb544p0, x); /* exact */
  const double b = n * 0x1.0b4611a626331p-34;
  const double sum = a - b;
  const double part = sum - a;
  const double rest = (a - (sum - part)) - (b + part) - gl_product_lost_float64(n, 0x1.0b4611a626331p-34, b);
  const double tail = GL_FMA(n, -0x1.1701b839a252p-88, rest);
  *r = sum + tail;
  *low = (sum - *r) + tail;
}

/* x - (k + half) pi = r + low, |r| <= pi/2, for |x| <= 2**20: returns k + 1.5 * 2**52 */
GL_FN double gl_half_turns_float64(double x, double half, double *r, double *low) {
  const double turns = half == 0 ? 0x1.8p52 : -half; /* k is whole when 1.5 * 2**52 is added */
  const double k = GL_FMA(x, 0x1.45f306dc9c883p-2, turns) + (half == 0 ? -0.0 : 0x1.8p52);
  gl_less_quarters_float64(x, 2 * (k - 0x1.8p52 + half), r, low);
  return k;
}

/* sin(r + low) for |r| <= pi/2; what z loses counts where r is large */
GL_FN double gl_sin_core_float64(double r, double low) {
  const double z = r * r;
  double p = GL_FMA(2.7211622141941125e-15, z, -7.642990340996865e-13);
  p = GL_FMA(p, z, 1.6058939664035448e-10);
  p = GL_FMA(p, z, -2.505210687200663e-08);
  p = GL_FMA(p, z, 2.7557319211128805e-06);
  p = GL_FMA(p, z, -0.0001984126984120917);
  p = GL_FMA(p, z, 0.008333333333333194);
  p = GL_FMA(p, z, -0.16666666666666666);
  const double s = GL_FMA(z, p, GL_FMA(r, r, -z) * p);
  return r + GL_FMA(r, s, GL_FMA(low, -0.5 * z, low));
}

/* y, or -y if the lowest bit is 1 */
GL_FN double gl_signed_float64(double y, uint64_t bits) {
  return gl_from_bits_float64(gl_bits_float64(y) ^ bits << 63);
}

/* sin x = (-1)**k sin(x - k pi) for |x| <= 2**20 */
GL_FN double gl_near_sin_float64(double x) {
  double r, low;
  const uint64_t k = gl_bits_float64(gl_half_turns_float64(x, 0, &r, &low));
  return x == 0.0 ? x : gl_signed_float64(gl_sin_core_float64(r, low), k);
}

/* cos x = -(-1)**k sin(x - (k + 1/2) pi) for |x| <= 2**20 */
GL_FN double gl_near_cos_float64(double x) {
  double r, low;
  const uint64_t k = gl_bits_float64(gl_half_turns_float64(x, 0.5, &r, &low));
  return gl_signed_float64(gl_sin_core_float64(r, low), k + 1);
}

/* x - n pi/2 = r + low, |r| <= pi/4, for |x| <= 2**20: returns n + 1.5 * 2**52 */
GL_FN double gl_turns_float64(double x, double *r, double *low) {
  const double shifted = GL_FMA(x, 0x1.45f306dc9c883p-1, 0x1.8p52);
  gl_less_quarters_float64(x, shifted - 0x1.8p52, r, low);
  return shifted;
}

/* tan x for |x| <= 2**20: the quotient of sin and cos, with what both and it lose by rounding */
GL_FN double gl_near_tan_float64(double x) {
  double r, low;
  const uint64_t n = gl_bits_float64(gl_turns_float64(x, &r, &low));
  const double z = r * r;
  double p = GL_FMA(1.5917848524808262e-10, z, -2.5051127944014188e-08);
  p = GL_FMA(p, z, 2.755731608381636e-06);
  p = GL_FMA(p, z, -0.00019841269836722418);
  p = GL_FMA(p, z, 0.008333333333330925);
  p = GL_FMA(p, z, -0.16666666666666666);
  double q = GL_FMA(-1.1382456778061306e-11, z, 2.0876143827993133e-09);
  q = GL_FMA(q, z, -2.7557317260008837e-07);
  q = GL_FMA(q, z, 2.480158729874307e-05);
  q = GL_FMA(q, z, -0.0013888888888887382);
  q = GL_FMA(q, z, 0.041666666666666664);
  const double s_tail = GL_FMA(r * z, p, GL_FMA(low, -0.5 * z, low));
  const double s = r + s_tail, s_lost = (r - s) + s_tail;
  const double h = 0.5 * z, w = 1.0 - h;
  const double c_tail = ((1.0 - w) - h) + GL_FMA(z * z, q, -(r * low));
  const double c = w + c_tail, c_lost = (w - c) + c_tail;
  const double over = n & 1 ? -c : s, over_lost = n & 1 ? -c_lost : s_lost;
  const double under = n & 1 ? s : c, under_lost = n & 1 ? s_lost : c_lost;
  const double inverse = 1.0 / under;
  const double t = over * inverse;
  const double tu = t * under;
  const double rest = (over - tu) - gl_product_lost_float64(t, under, tu) + (over_lost - t * under_lost);
  return x == 0.0 ? x : GL_FMA(rest, inverse, t);
}

/* (-1)**k (x - (k + half) pi), |.| <= pi/2, for |x| <= 2**20: in float64, or with pi in three parts, the first exact */
GL_FN float gl_half_turns_float32(float x, float half) {
#ifdef __FP_FAST_FMAF
  const float k = half == 0 ? GL_FMAF(x, 0x1.45f306p-2f, 0x1.8p23f) : GL_FMAF(x, 0x1.45f306p-2f, -half) + 0x1.8p23f;
  const float n = k - 0x1.8p23f + half;
  const float a = GL_FMAF(n, -0x1.921fb6p+1f, x);
  const float r = GL_FMAF(n, 0x1.ee59dap-49f, GL_FMAF(n, 0x1.777a5cp-24f, a));
  return gl_from_bits_float32(gl_bits_float32(r) ^ gl_bits_float32(k) << 31);
#else
  const double k = GL_FMA((double)x, 0x1.45f306dc9c883p-2, -(double)half) + 0x1.8p52;
  const double n = k - 0x1.8p52 + half;
  const double r = GL_FMA(n, -0x1.0b4611a626331p-33, GL_FMA(n, -0x1.921fb544p1, (double)x));
  return (float)gl_signed_float64(r, gl_bits_float64(k));
#endif
}

/* sin r for |r| <= pi/2; what z loses counts where r is large */
GL_FN float gl_sin_core_float32(float r) {
  const float z = r * r;
  float p = GL_FMAF(-2.3888733e-08f, z, 2.7525375e-06f);
  p = GL_FMAF(p, z, -0.00019840868f);
  p = GL_FMAF(p, z, 0.008333331f);
  p = GL_FMAF(p, z, -0.16666667f);
  return GL_FMAF(r, GL_FMAF(z, p, GL_FMAF(r, r, -z) * p), r);
}

/* sin x for |x| <= 2**20 */
GL_FN float gl_near_sin_float32(float x) {
  return x == 0.0f ? x : gl_sin_core_float32(gl_half_turns_float32(x, 0));
}

/* cos x for |x| <= 2**20 */
GL_FN float gl_near_cos_float32(float x) {
  return -gl_sin_core_float32(gl_half_turns_float32(x, 0.5));
}

/* tan x for |x| <= 2**20, in float64, with polynomials for float32 */
GL_FN float gl_near_tan_float32(float x) {
  const double shifted = GL_FMA((double)x, 0x1.45f306dc9c883p-1, 0x1.8p52);
  const double k = shifted - 0x1.8p52;
  const double r = GL_FMA(k, -0x1.0b4611a626331p-34, GL_FMA(k, -0x1.921fb544p0, (double)x));
  const double z = r * r;
  double p = GL_FMA(2.7249314054698804e-06, z, -0.00019840082012765537);
  p = GL_FMA(p, z, 0.008333331865959415);
  p = GL_FMA(p, z, -0.16666666663832763);
  double q = GL_FMA(-2.7300448619488353e-07, z, 2.4800596435621998e-05);
  q = GL_FMA(q, z, -0.0013888887664713619);
  q = GL_FMA(q, z, 0.0416666666643024);
  const double s = GL_FMA(r * z, p, r), c = GL_FMA(z * z, q, GL_FMA(-0.5, z, 1.0));
  const uint64_t n = gl_bits_float64(shifted);
  return x == 0.0f ? x : (float)((n & 1 ? -c : s) / (n & 1 ? s : c));
}

/* whether x is too large for the near ones; not where it is infinite or nan */
#define GL_IS_FAR(T, D, F) \
  GL_FN uint8_t gl_is_far_##D(T x) { \
    return fabs##F(x) > (T)0x1p20 && fabs##F(x) < __builtin_inf##F(); \
  }
GL_FLOAT(GL_IS_FAR)

/* sin x */
#define GL_SIN(T, D, F) \
  GL_FN T gl_sin_##D(T x) { \
    return gl_is_far_##D(x) ? sin##F(x) : gl_near_sin_##D(x); \
  }
GL_FLOAT(GL_SIN)

/* cos x */
#define GL_COS(T, D, F) \
  GL_FN T gl_cos_##D(T x) { \
    return gl_is_far_##D(x) ? cos##F(x) : gl_near_cos_##D(x); \
  }
GL_FLOAT(GL_COS)

/* tan x */
#define GL_TAN(T, D, F) \
  GL_FN T gl_tan_##D(T x) { \
    return gl_is_far_##D(x) ? tan##F(x) : gl_near_tan_##D(x); \
  }
GL_FLOAT(GL_TAN)

/* sin(pi x) / (pi x), and 1 at 0, for |x| <= 2**20 */
#define GL_NEAR_SINC(T, D, F) \
  GL_FN T gl_near_sinc_##D(T x) { \
    const T y = x * (T)3.14159265358979323846; \
    return y == 0 ? 1 : gl_near_sin_##D(y) / y; \
  }
GL_FLOAT(GL_NEAR_SINC)

/* sin(pi x) / (pi x), and 1 at 0 */
#define GL_SINC(T, D, F) \
  GL_FN T gl_sinc_##D(T x) { \
    const T y = x * (T)3.14159265358979323846; \
    return y == 0 ? 1 : gl_sin_##D(y) / y; \
  }
GL_FLOAT(GL_SINC)

/* ---- angles --------------------------------------------------------------------------------------- */

/* (atan(t)/t - 1) / t**2 for z = t**2, |t| <= tan(pi/8) */
GL_FN double gl_arctan_tail_float64(double z) {
  double p = GL_FMA(-0.019162068915902573, z, 0.03921955253255129);
  p = GL_FMA(p, z, -0.05085030492810941);
  p = GL_FMA(p, z, 0.058580687568615106);
  p = GL_FMA(p, z, -0.06664502215671447);
  p = GL_FMA(p, z, 0.07692182535116648);
  p = GL_FMA(p, z, -0.09090904549884611);
  p = GL_FMA(p, z, 0.11111111014561013);
  p = GL_FMA(p, z, -0.14285714284657894);
  p = GL_FMA(p, z, 0.1999999999999548);
  p = GL_FMA(p, z, -0.3333333333333333);
  return p;
}

/* (atan(t)/t - 1) / t**2 for z = t**2, |t| <= tan(pi/8) */
GL_FN float gl_arctan_tail_float32(float z) {
  float p = GL_FMAF(0.05046128f, z, -0.086238965f);
  p = GL_FMAF(p, z, 0.1107126f);
  p = GL_FMAF(p, z, -0.14284146f);
  p = GL_FMAF(p, z, 0.19999976f);
  p = GL_FMAF(p, z, -0.33333334f);
  return p;
}

/* atan(y / x) for finite y, x >= 0: that of t = y/x, (y - x)/(y + x) or -x/y, and 0, pi/4 or pi/2 */
#define GL_ANGLE(T, D, F) \
  GL_FN T gl_angle_##D(T y, T x) { \
    const T pi_4 = (T)0x1.921fb54442d18p-1; \
    const T pi_4_low = (T)(0x1.921fb54442d18p-1 - (double)pi_4 + 0x1.1a62633145c07p-55); \
    const uint8_t low = y <= (T)0.41421356237309503 * x, high = y > (T)2.414213562373095 * x; \
    const T over = low ? y : high ? -x : y - x; \
    const T under = low ? x : high ? y : y + x; \
    const T t = over == 0 ? 0 : over / under; \
    const T turns = low ? 0 : high ? 2 : 1; \
    const T tail = t * t * t * gl_arctan_tail_##D(t * t) + turns * pi_4_low; \
    return turns * pi_4 + (t + tail); \
  }
GL_FLOAT(GL_ANGLE)

/* atan x */
#define GL_ARCTAN(T, D, F) \
  GL_FN T gl_arctan_##D(T x) { \
    const T y = gl_angle_##D(fabs##F(x) < (T)0x1p60 ? fabs##F(x) : (T)0x1p60, 1); \
    return x != x || fabs##F(x) < (T)0x1p-54 ? x : copysign##F(y, x); \
  }
GL_FLOAT(GL_ARCTAN)

/* the angle of the point x, y; both are scaled so that neither x + y nor their quotient fails */
#define GL_ARCTAN2(T, D, F) \
  GL_FN T gl_arctan2_##D(T y, T x) { \
    const T inf = __builtin_inf##F(), b = fabs##F(y), a = fabs##F(x); \
    const T wide = sizeof(T) == 4 ? (T)0x1p60 : (T)0x1p500; \
    const T most = a > b ? a : b; \
    const T scale = most > wide ? 1 / wide : most < 1 / wide ? wide : 1; \
    const T up = most == inf ? b == inf : b * scale; \
    const T right = most == inf ? a == inf : a * scale; \
    const T angle = gl_angle_##D(up, right); \
    const T pi = (T)0x1.921fb54442d18p1; \
    const T pi_low = (T)(0x1.921fb54442d18p1 - (double)pi + 0x1.1a62633145c07p-53); \
    const T turned = pi - (angle - pi_low); \
    return x != x || y != y ? x + y : copysign##F(copysign##F(1, x) < 0 ? turned : angle, y); \
  }
GL_FLOAT(GL_ARCTAN2)

/* asin s = s + s**3 P(s**2) for |s| <= 1/2: returns s**2 P(s**2) */
GL_FN double gl_arcsin_tail_float64(double z) {
  double p = GL_FMA(0.028757851367421566, z, -0.014851887071247204);
  p = GL_FMA(p, z, 0.01740087944269402);
  p = GL_FMA(p, z, 0.005457506718640358);
  p = GL_FMA(p, z, 0.01032281435018578);
  p = GL_FMA(p, z, 0.011479177415184906);
  p = GL_FMA(p, z, 0.013971212973552933);
  p = GL_FMA(p, z, 0.017352392720869973);
  p = GL_FMA(p, z, 0.02237217294214989);
  p = GL_FMA(p, z, 0.030381944138531247);
  p = GL_FMA(p, z, 0.04464285714635543);
  p = GL_FMA(p, z, 0.07499999999998433);
  p = GL_FMA(p, z, 0.16666666666666669);
  return p * z;
}

/* asin s = s + s**3 P(s**2) for |s| <= 1/2: returns s**2 P(s**2) */
GL_FN float gl_arcsin_tail_float32(float z) {
  float p = GL_FMAF(0.03097454f, z, 0.010574415f);
  p = GL_FMAF(p, z, 0.023611818f);
  p = GL_FMAF(p, z, 0.030269139f);
  p = GL_FMAF(p, z, 0.044647664f);
  p = GL_FMAF(p, z, 0.07499992f);
  p = GL_FMAF(p, z, 0.16666667f);
  return p * z;
}

/* asin x; beyond 1/2 it is pi/2 - 2 asin s, s = sqrt((1 - |x|)/2) = high + low */
#define GL_ARCSIN(T, D, F) \
  GL_FN T gl_arcsin_##D(T x) { \
    const T pi_4 = (T)0x1.921fb54442d18p-1; \
    const T pi_2_low = (T)(0x1.921fb54442d18p0 - 2 * (double)pi_4 + 0x1.1a62633145c07p-54); \
    const T size = fabs##F(x); \
    const T z = size > (T)0.5 ? (T)0.5 - (T)0.5 * size : x * x; \
    const T s = size > (T)0.5 ? sqrt##F(z) : size; \
    const T tail = s * gl_arcsin_tail_##D(z); \
    const T high = gl_high_##D(s); \
    const T low = s == 0 ? 0 : (z - high * high) / (s + high); \
    const T rest = 2 * tail - (pi_2_low - 2 * low); \
    const T far = pi_4 - (rest - (pi_4 - 2 * high)); \
    return x != x ? x : copysign##F(size > (T)0.5 ? far : s + tail, x); \
  }
GL_FLOAT(GL_ARCSIN)

/* acos x = pi/2 - asin x; beyond 1/2 it is 2 asin s, and below -1/2 pi - 2 asin s, s as above */
#define GL_ARCCOS(T, D, F) \
  GL_FN T gl_arccos_##D(T x) { \
    const T pi_2 = (T)0x1.921fb54442d18p0; \
    const T pi_2_low = (T)(0x1.921fb54442d18p0 - (double)pi_2 + 0x1.1a62633145c07p-54); \
    const uint8_t far = fabs##F(x) > (T)0.5; \
    const T z = far ? (T)0.5 - (T)0.5 * fabs##F(x) : x * x; \
    const T s = far ? sqrt##F(z) : x; \
    const T tail = s * gl_arcsin_tail_##D(z); \
    const T high = gl_high_##D(s); \
    const T low = s == 0 ? 0 : (z - high * high) / (s + high); \
    const T right = 2 * (high + (tail + low)); \
    const T left = 2 * (pi_2 - (s + (tail - pi_2_low))); \
    return far ? (x < 0 ? left : right) : pi_2 - (s - (pi_2_low - tail)); \
  }
GL_FLOAT(GL_ARCCOS)

#endif
