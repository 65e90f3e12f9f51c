/* NumPy's meaning of the scalar operations that C leaves undefined or gives differently.
 *
 * It compiles as it stands; generated programs get only the functions that they use (codegen/paste.py
 * expands the families as the preprocessor would). So that both can read it: a plain function starts
 * with GL_FN in the first column and ends with } there; a family is one macro that defines one function,
 * and each line that invokes it makes a member. The one comment above goes along. */
#ifndef GL_MATH_H
#define GL_MATH_H

#include <complex.h>
#include <math.h>

#include "gl_abi.h"
#include "gl_normal.h"
#include "gl_simd.h"
#include "gl_waves.h"

/* SciPy's special functions: the runtime fills in their addresses */
double (*gl_extern_psi)(double);
double (*gl_extern_gamma)(double);
double (*gl_extern_erfcx)(double);
double (*gl_extern_erfinv)(double);
double (*gl_extern_erfcinv)(double);
double (*gl_extern_log_ndtr)(double);
double (*gl_extern_ndtri)(double);
double (*gl_extern_logit)(double);
double (*gl_extern_log_expit)(double);
double (*gl_extern_entr)(double);
double (*gl_extern_j0)(double);
double (*gl_extern_j1)(double);
double (*gl_extern_y0)(double);
double (*gl_extern_y1)(double);
double (*gl_extern_i0)(double);
double (*gl_extern_i0e)(double);
double (*gl_extern_i1)(double);
double (*gl_extern_i1e)(double);
double (*gl_extern_k0)(double);
double (*gl_extern_k1)(double);
double (*gl_extern_beta)(double, double);
double (*gl_extern_betaln)(double, double);
double (*gl_extern_binom)(double, double);
double (*gl_extern_gammainc)(double, double);
double (*gl_extern_gammaincc)(double, double);
double (*gl_extern_jv)(double, double);
double (*gl_extern_yv)(double, double);
double (*gl_extern_iv)(double, double);
double (*gl_extern_ive)(double, double);
double (*gl_extern_kv)(double, double);
double (*gl_extern_xlogy)(double, double);
double (*gl_extern_xlog1py)(double, double);
double (*gl_extern_rel_entr)(double, double);
double (*gl_extern_kl_div)(double, double);
double (*gl_extern_betainc)(double, double, double);

/* ---- integers ---------------------------------------------------------------------------------- */

#define GL_SIGNED(FAMILY) \
  FAMILY(int8_t, int8) FAMILY(int16_t, int16) FAMILY(int32_t, int32) FAMILY(int64_t, int64)
#define GL_UNSIGNED(FAMILY) \
  FAMILY(uint8_t, uint8) FAMILY(uint16_t, uint16) FAMILY(uint32_t, uint32) FAMILY(uint64_t, uint64)
#define GL_BOOL(FAMILY) \
  FAMILY(uint8_t, bool)
#define GL_COMPLEX(FAMILY) \
  FAMILY(float _Complex, complex64, float, f) FAMILY(double _Complex, complex128, double, )

/* floor(a / b); x // 0 is 0, and the quotient of the least integer by -1 wraps */
#define GL_FLOOR_DIVIDE_SIGNED(T, D) \
  GL_FN T gl_floor_divide_##D(T a, T b) { \
    if (b == 0) return 0; \
    if (b == -1) return -a; \
    const T q = a / b; \
    return q - (a % b != 0 && (a < 0) != (b < 0)); \
  }
GL_SIGNED(GL_FLOOR_DIVIDE_SIGNED)

/* a // b; x // 0 is 0 */
#define GL_FLOOR_DIVIDE_UNSIGNED(T, D) \
  GL_FN T gl_floor_divide_##D(T a, T b) { \
    return b == 0 ? 0 : a / b; \
  }
GL_UNSIGNED(GL_FLOOR_DIVIDE_UNSIGNED)

/* a - b floor(a / b), which has the sign of b; x % 0 is 0 */
#define GL_REMAINDER_SIGNED(T, D) \
  GL_FN T gl_remainder_##D(T a, T b) { \
    if (b == 0 || b == -1) return 0; \
    const T r = a % b; \
    return r != 0 && (r < 0) != (b < 0) ? r + b : r; \
  }
GL_SIGNED(GL_REMAINDER_SIGNED)

/* a % b; x % 0 is 0 */
#define GL_REMAINDER_UNSIGNED(T, D) \
  GL_FN T gl_remainder_##D(T a, T b) { \
    return b == 0 ? 0 : a % b; \
  }
GL_UNSIGNED(GL_REMAINDER_UNSIGNED)

/* the remainder with the sign of a; fmod(x, 0) is 0 */
#define GL_FMOD_SIGNED(T, D) \
  GL_FN T gl_fmod_##D(T a, T b) { \
    return b == 0 || b == -1 ? 0 : a % b; \
  }
GL_SIGNED(GL_FMOD_SIGNED)

/* a % b; fmod(x, 0) is 0 */
#define GL_FMOD_UNSIGNED(T, D) \
  GL_FN T gl_fmod_##D(T a, T b) { \
    return b == 0 ? 0 : a % b; \
  }
GL_UNSIGNED(GL_FMOD_UNSIGNED)

/* a << b; 0 when b is negative or reaches the width */
#define GL_LEFT_SHIFT(T, D) \
  GL_FN T gl_left_shift_##D(T a, T b) { \
    return (uint64_t)b < 8 * sizeof(T) ? (T)((uint64_t)a << b) : 0; \
  }
GL_SIGNED(GL_LEFT_SHIFT)
GL_UNSIGNED(GL_LEFT_SHIFT)

/* a >> b; all sign bits when b is negative or reaches the width */
#define GL_RIGHT_SHIFT_SIGNED(T, D) \
  GL_FN T gl_right_shift_##D(T a, T b) { \
    return (uint64_t)b < 8 * sizeof(T) ? a >> b : -(a < 0); \
  }
GL_SIGNED(GL_RIGHT_SHIFT_SIGNED)

/* a >> b; 0 when b reaches the width */
#define GL_RIGHT_SHIFT_UNSIGNED(T, D) \
  GL_FN T gl_right_shift_##D(T a, T b) { \
    return b < 8 * sizeof(T) ? a >> b : 0; \
  }
GL_UNSIGNED(GL_RIGHT_SHIFT_UNSIGNED)

/* a to the b by squaring, wrapping; b is not negative */
#define GL_POWER(T, D) \
  GL_FN T gl_power_##D(T a, T b) { \
    uint64_t result = 1; \
    uint64_t square = (uint64_t)a; \
    for (uint64_t left = (uint64_t)b; left != 0; left >>= 1) { \
      if (left & 1) result *= square; \
      square *= square; \
    } \
    return (T)result; \
  }
GL_SIGNED(GL_POWER)
GL_UNSIGNED(GL_POWER)

/* |a|; that of the least integer wraps to itself */
#define GL_ABS_SIGNED(T, D) \
  GL_FN T gl_abs_##D(T a) { \
    return a < 0 ? -a : a; \
  }
GL_SIGNED(GL_ABS_SIGNED)

/* |a| is a */
#define GL_ABS_UNSIGNED(T, D) \
  GL_FN T gl_abs_##D(T a) { \
    return a; \
  }
GL_UNSIGNED(GL_ABS_UNSIGNED)

/* -1, 0 or 1 */
#define GL_SIGN_SIGNED(T, D) \
  GL_FN T gl_sign_##D(T a) { \
    return (a > 0) - (a < 0); \
  }
GL_SIGNED(GL_SIGN_SIGNED)

/* 0 or 1 */
#define GL_SIGN_UNSIGNED(T, D) \
  GL_FN T gl_sign_##D(T a) { \
    return a != 0; \
  }
GL_UNSIGNED(GL_SIGN_UNSIGNED)

/* the larger */
#define GL_MAXIMUM_INTEGER(T, D) \
  GL_FN T gl_maximum_##D(T a, T b) { \
    return a > b ? a : b; \
  }
GL_SIGNED(GL_MAXIMUM_INTEGER)
GL_UNSIGNED(GL_MAXIMUM_INTEGER)
GL_BOOL(GL_MAXIMUM_INTEGER)

/* the smaller */
#define GL_MINIMUM_INTEGER(T, D) \
  GL_FN T gl_minimum_##D(T a, T b) { \
    return a < b ? a : b; \
  }
GL_SIGNED(GL_MINIMUM_INTEGER)
GL_UNSIGNED(GL_MINIMUM_INTEGER)
GL_BOOL(GL_MINIMUM_INTEGER)

/* the larger */
#define GL_FMAX_INTEGER(T, D) \
  GL_FN T gl_fmax_##D(T a, T b) { \
    return a > b ? a : b; \
  }
GL_SIGNED(GL_FMAX_INTEGER)
GL_UNSIGNED(GL_FMAX_INTEGER)
GL_BOOL(GL_FMAX_INTEGER)

/* the smaller */
#define GL_FMIN_INTEGER(T, D) \
  GL_FN T gl_fmin_##D(T a, T b) { \
    return a < b ? a : b; \
  }
GL_SIGNED(GL_FMIN_INTEGER)
GL_UNSIGNED(GL_FMIN_INTEGER)
GL_BOOL(GL_FMIN_INTEGER)

/* ---- from floating point to integers ------------------------------------------------------------ */

/* gcc 12 with -fno-trapping-math takes (double)(int)x for trunc(x), which is -0.0 in (-1, 0). So 0 is added to the
 * integer in a form that it does not see through: x is compared with itself. */

/* towards zero; the least integer for nan and for what does not fit */
GL_FN int64_t gl_truncate_int64(double x) {
  return x >= -0x1p63 && x < 0x1p63 ? (int64_t)x + (x != x) : (int64_t)(1ull << 63);
}

/* towards zero; the least integer for nan and for what does not fit */
GL_FN int32_t gl_truncate_int32(double x) {
  return x > -0x1p31 - 1 && x < 0x1p31 ? (int32_t)x + (x != x) : (int32_t)(1u << 31);
}

/* towards zero; from 2**63 on what does not fit gives 0, nan and what lies below int64 give 2**63 */
GL_FN uint64_t gl_truncate_uint64(double x) {
  if (x >= 0x1p63) return x < 0x1p64 ? (uint64_t)x : 0;
  return (uint64_t)gl_truncate_int64(x);
}

/* towards zero, then the low 32 bits of 64 */
GL_FN uint32_t gl_truncate_uint32(double x) {
  return (uint32_t)gl_truncate_int64(x);
}

/* towards zero, then the low bits of 32 */
#define GL_TRUNCATE_NARROW(T, D) \
  GL_FN T gl_truncate_##D(double x) { \
    return (T)gl_truncate_int32(x); \
  }
GL_TRUNCATE_NARROW(int8_t, int8)
GL_TRUNCATE_NARROW(int16_t, int16)
GL_TRUNCATE_NARROW(uint8_t, uint8)
GL_TRUNCATE_NARROW(uint16_t, uint16)

/* ---- floating point: order and sign -------------------------------------------------------------- */

/* the larger; nan if either is */
#define GL_MAXIMUM_FLOAT(T, D, F) \
  GL_FN T gl_maximum_##D(T a, T b) { \
    return a >= b || a != a ? a : b; \
  }
GL_FLOAT(GL_MAXIMUM_FLOAT)

/* the smaller; nan if either is */
#define GL_MINIMUM_FLOAT(T, D, F) \
  GL_FN T gl_minimum_##D(T a, T b) { \
    return a <= b || a != a ? a : b; \
  }
GL_FLOAT(GL_MINIMUM_FLOAT)

/* the larger; the other one if one is nan */
#define GL_FMAX_FLOAT(T, D, F) \
  GL_FN T gl_fmax_##D(T a, T b) { \
    return a >= b || b != b ? a : b; \
  }
GL_FLOAT(GL_FMAX_FLOAT)

/* the smaller; the other one if one is nan */
#define GL_FMIN_FLOAT(T, D, F) \
  GL_FN T gl_fmin_##D(T a, T b) { \
    return a <= b || b != b ? a : b; \
  }
GL_FLOAT(GL_FMIN_FLOAT)

/* -1, 0 or 1; nan stays nan */
#define GL_SIGN_FLOAT(T, D, F) \
  GL_FN T gl_sign_##D(T a) { \
    return a > 0 ? 1 : a < 0 ? -1 : a == 0 ? 0 : a; \
  }
GL_FLOAT(GL_SIGN_FLOAT)

/* ---- floating point: division -------------------------------------------------------------------- */

/* the remainder with the sign of a */
#define GL_FMOD_FLOAT(T, D, F) \
  GL_FN T gl_fmod_##D(T a, T b) { \
    return fmod##F(a, b); \
  }
GL_FLOAT(GL_FMOD_FLOAT)

/* the remainder with the sign of b, as npy_divmod computes it */
#define GL_REMAINDER_FLOAT(T, D, F) \
  GL_FN T gl_remainder_##D(T a, T b) { \
    const T r = fmod##F(a, b); \
    if (b == 0) return r; \
    if (r == 0) return copysign##F(0, b); \
    return (b < 0) != (r < 0) ? r + b : r; \
  }
GL_FLOAT(GL_REMAINDER_FLOAT)

/* floor(a / b) that agrees with the remainder, as npy_divmod computes it */
#define GL_FLOOR_DIVIDE_FLOAT(T, D, F) \
  GL_FN T gl_floor_divide_##D(T a, T b) { \
    if (b == 0) return a / b; \
    const T r = fmod##F(a, b); \
    T q = (a - r) / b; \
    if (r != 0 && (b < 0) != (r < 0)) q -= 1; \
    if (q == 0) return copysign##F(0, a / b); \
    const T whole = floor##F(q); \
    return q - whole > (T)0.5 ? whole + 1 : whole; \
  }
GL_FLOAT(GL_FLOOR_DIVIDE_FLOAT)

/* ---- floating point: exponentials ----------------------------------------------------------------- */

/* log2(2**a + 2**b); equal infinities have no difference */
#define GL_LOGADDEXP2(T, D, F) \
  GL_FN T gl_logaddexp2_##D(T a, T b) { \
    const T log2e = (T)1.44269504088896340736; \
    if (a == b) return a + 1; \
    const T d = a - b; \
    const T y = (d > 0 ? a : b) + log2e * gl_log1p_##D(gl_exp2_##D(-fabs##F(d))); \
    return d == d ? y : d; \
  }
GL_FLOAT(GL_LOGADDEXP2)

/* ---- floating point: gamma ------------------------------------------------------------------------ */

/* log |gamma(x)|; an infinity stays, as in SciPy */
#define GL_GAMMALN(T, D, F) \
  GL_FN T gl_gammaln_##D(T x) { \
    int sign; \
    return __builtin_isinf(x) ? x : (T)lgamma_r((double)x, &sign); \
  }
GL_FLOAT(GL_GAMMALN)

/* the derivative of log gamma(x) */
#define GL_DIGAMMA(T, D, F) \
  GL_FN T gl_digamma_##D(T x) { \
    return (T)gl_extern_psi((double)x); \
  }
GL_FLOAT(GL_DIGAMMA)

/* zeta(s, q) = sum over k >= 0 of (k + q)**-s by Euler and Maclaurin, as in Cephes */
GL_FN double gl_zeta(double s, double q) {
  static const double over[] = {/* (2k)! / B(2k) */
    12.0, -720.0, 30240.0, -1209600.0, 47900160.0, -1.8924375803183791606e9, 7.47242496e10,
    -2.950130727918164224e12, 1.1646782814350067249e14, -4.5979787224074726105e15,
    1.8152105401943546773e17, -7.1661652561756670113e18};
  const double eps = 0x1p-53;
  if (s == 1.0) return __builtin_inf();
  if (!(s > 1.0)) return __builtin_nan("");
  if (q <= 0.0) {
    if (q == floor(q)) return __builtin_inf();
    if (s != floor(s)) return __builtin_nan("");
  }
  if (q > 1e8) return (1.0 / (s - 1.0) + 1.0 / (2.0 * q)) * pow(q, 1.0 - s);
  double a = q, b = pow(q, -s), sum = b;
  for (int k = 0; k < 9 || a <= 9.0; ++k) {
    a += 1.0;
    b = pow(a, -s);
    sum += b;
    if (fabs(b / sum) < eps) return sum;
  }
  sum += b * a / (s - 1.0) - 0.5 * b;
  double factor = 1.0, k = 0.0;
  for (int i = 0; i < 12; ++i) {
    factor *= s + k;
    b /= a;
    const double term = factor * b / over[i];
    sum += term;
    if (fabs(term / sum) < eps) return sum;
    k += 1.0;
    factor *= s + k;
    b /= a;
    k += 1.0;
  }
  return sum;
}

/* the n-th derivative of digamma, as SciPy computes it */
GL_FN double gl_polygamma(double n, double x) {
  return n == 0.0 ? gl_extern_psi(x) : pow(-1.0, n + 1.0) * tgamma(n + 1.0) * gl_zeta(n + 1.0, x);
}

/* ---- complex numbers ------------------------------------------------------------------------------ */

/* a b as written: C's own * looks for infinities in what came out nan, NumPy does not */
#define GL_MULTIPLY_COMPLEX(T, D, R, F) \
  GL_FN T gl_multiply_##D(T a, T b) { \
    const R re = __real__ a * __real__ b - __imag__ a * __imag__ b; \
    const R im = __real__ a * __imag__ b + __imag__ a * __real__ b; \
    return __builtin_complex(re, im); \
  }
GL_COMPLEX(GL_MULTIPLY_COMPLEX)

/* a / b by Smith's method: by the larger part of b, so that |b|^2 does not overflow */
#define GL_DIVIDE_COMPLEX(T, D, R, F) \
  GL_FN T gl_divide_##D(T a, T b) { \
    const R ar = __real__ a, ai = __imag__ a, br = __real__ b, bi = __imag__ b; \
    if (fabs##F(br) >= fabs##F(bi)) { \
      if (br == 0 && bi == 0) return __builtin_complex(ar / fabs##F(br), ai / fabs##F(br)); \
      const R ratio = bi / br, scale = 1 / (br + bi * ratio); \
      return __builtin_complex((ar + ai * ratio) * scale, (ai - ar * ratio) * scale); \
    } \
    const R ratio = br / bi, scale = 1 / (bi + br * ratio); \
    return __builtin_complex((ar * ratio + ai) * scale, (ai * ratio - ar) * scale); \
  }
GL_COMPLEX(GL_DIVIDE_COMPLEX)

/* 1 / a, by the larger part of a */
#define GL_RECIPROCAL_COMPLEX(T, D, R, F) \
  GL_FN T gl_reciprocal_##D(T a) { \
    const R re = __real__ a, im = __imag__ a; \
    if (fabs##F(im) <= fabs##F(re)) { \
      const R ratio = im / re, size = re + im * ratio; \
      return __builtin_complex(1 / size, -ratio / size); \
    } \
    const R ratio = re / im, size = re * ratio + im; \
    return __builtin_complex(ratio / size, -1 / size); \
  }
GL_COMPLEX(GL_RECIPROCAL_COMPLEX)

/* a < b: by the real parts, then by the imaginary ones; false where one is nan that is looked at */
#define GL_LESS_COMPLEX(T, D, R, F) \
  GL_FN uint8_t gl_less_##D(T a, T b) { \
    const R ai = __imag__ a, bi = __imag__ b; \
    if (__real__ a == __real__ b) return ai < bi; \
    return __real__ a < __real__ b && ai == ai && bi == bi; \
  }
GL_COMPLEX(GL_LESS_COMPLEX)

/* a <= b, as a < b */
#define GL_LESS_EQUAL_COMPLEX(T, D, R, F) \
  GL_FN uint8_t gl_less_equal_##D(T a, T b) { \
    const R ai = __imag__ a, bi = __imag__ b; \
    if (__real__ a == __real__ b) return ai <= bi; \
    return __real__ a < __real__ b && ai == ai && bi == bi; \
  }
GL_COMPLEX(GL_LESS_EQUAL_COMPLEX)

/* the larger in this order; one with a nan if there is one, a before b */
#define GL_MAXIMUM_COMPLEX(T, D, R, F) \
  GL_FN T gl_maximum_##D(T a, T b) { \
    return a != a || gl_less_equal_##D(b, a) ? a : b; \
  }
GL_COMPLEX(GL_MAXIMUM_COMPLEX)

/* the smaller in this order; one with a nan if there is one, a before b */
#define GL_MINIMUM_COMPLEX(T, D, R, F) \
  GL_FN T gl_minimum_##D(T a, T b) { \
    return a != a || gl_less_equal_##D(a, b) ? a : b; \
  }
GL_COMPLEX(GL_MINIMUM_COMPLEX)

/* the larger in this order; the other one if one is nan */
#define GL_FMAX_COMPLEX(T, D, R, F) \
  GL_FN T gl_fmax_##D(T a, T b) { \
    return b != b || gl_less_equal_##D(b, a) ? a : b; \
  }
GL_COMPLEX(GL_FMAX_COMPLEX)

/* the smaller in this order; the other one if one is nan */
#define GL_FMIN_COMPLEX(T, D, R, F) \
  GL_FN T gl_fmin_##D(T a, T b) { \
    return b != b || gl_less_equal_##D(a, b) ? a : b; \
  }
GL_COMPLEX(GL_FMIN_COMPLEX)

/* a / |a|; 0 at 0, nan at infinities of which one part alone does not tell the direction */
#define GL_SIGN_COMPLEX(T, D, R, F) \
  GL_FN T gl_sign_##D(T a) { \
    const R re = __real__ a, im = __imag__ a, size = hypot##F(re, im); \
    if (size != size) return __builtin_complex(size, size); \
    if (size == 0) return 0; \
    if (size < __builtin_inf##F()) return __builtin_complex(re / size, im / size); \
    if (fabs##F(re) != size) return __builtin_complex((R)0, im < 0 ? (R)-1 : (R)1); \
    if (fabs##F(im) != size) return __builtin_complex(re < 0 ? (R)-1 : (R)1, (R)0); \
    return __builtin_complex((R)__builtin_nan(""), (R)__builtin_nan("")); \
  }
GL_COMPLEX(GL_SIGN_COMPLEX)

/* whether a part of a is infinite, whatever the other */
#define GL_ISINF_COMPLEX(T, D, R, F) \
  GL_FN uint8_t gl_isinf_##D(T a) { \
    return fabs##F(__real__ a) == __builtin_inf##F() || fabs##F(__imag__ a) == __builtin_inf##F(); \
  }
GL_COMPLEX(GL_ISINF_COMPLEX)

/* whether both parts of a are finite */
#define GL_ISFINITE_COMPLEX(T, D, R, F) \
  GL_FN uint8_t gl_isfinite_##D(T a) { \
    return fabs##F(__real__ a) < __builtin_inf##F() && fabs##F(__imag__ a) < __builtin_inf##F(); \
  }
GL_COMPLEX(GL_ISFINITE_COMPLEX)

/* each part of a times b */
#define GL_SCALED_COMPLEX(T, D, R, F) \
  GL_FN T gl_scaled_##D(T a, R b) { \
    return __builtin_complex(__real__ a * b, __imag__ a * b); \
  }
GL_COMPLEX(GL_SCALED_COMPLEX)

/* e**a - 1 without cancellation: cos(y) - 1 = -2 sin(y/2)^2 */
#define GL_EXPM1_COMPLEX(T, D, R, F) \
  GL_FN T gl_expm1_##D(T a) { \
    const R x = __real__ a, y = __imag__ a, half = sin##F(y / 2); \
    return __builtin_complex(expm1##F(x) * cos##F(y) - 2 * half * half, exp##F(x) * sin##F(y)); \
  }
GL_COMPLEX(GL_EXPM1_COMPLEX)

/* log(1 + a), as NumPy computes it */
#define GL_LOG1P_COMPLEX(T, D, R, F) \
  GL_FN T gl_log1p_##D(T a) { \
    const R x = __real__ a + 1, y = __imag__ a; \
    return __builtin_complex(log##F(hypot##F(x, y)), atan2##F(y, x)); \
  }
GL_COMPLEX(GL_LOG1P_COMPLEX)

/* a to the b; small whole exponents by squaring, as NumPy does */
#define GL_POWER_COMPLEX(T, D, R, F) \
  GL_FN T gl_power_##D(T a, T b) { \
    const R br = __real__ b, bi = __imag__ b; \
    if (br == 0 && bi == 0) return 1; \
    if (a == 0) return br > 0 ? (T)0 : __builtin_complex((R)__builtin_nan(""), (R)__builtin_nan("")); \
    if (bi != 0 || !(br > -100 && br < 100) || br != (int)br) return cpow##F(a, b); \
    T result = 1; \
    T square = a; \
    for (int left = br < 0 ? -(int)br : (int)br; left != 0; left >>= 1) { \
      if (left & 1) result = left == br ? square : gl_multiply_##D(result, square); \
      if (left > 1) square = gl_multiply_##D(square, square); \
    } \
    return br < 0 ? gl_divide_##D(1, result) : result; \
  }
GL_COMPLEX(GL_POWER_COMPLEX)

#endif
