/* The error function and the normal distribution as vector code.
 *
 * The form of this file is that of gl_math.h, the manner that of gl_simd.h. */
#ifndef GL_NORMAL_H
#define GL_NORMAL_H

#include "gl_simd.h"

/* (erf(x)/x - 2/sqrt(pi)) / x**2 for z = x**2 <= 1 */
GL_FN double gl_erf_tail_float64(double z) {
  double p = GL_FMA(6.174097221305255e-11, z, -1.1500357159785296e-09);
  p = GL_FMA(p, z, 1.4692484859133263e-08);
  p = GL_FMA(p, z, -1.6355118610877705e-07);
  p = GL_FMA(p, z, 1.6461446656928561e-06);
  p = GL_FMA(p, z, -1.4925622504489842e-05);
  p = GL_FMA(p, z, 0.00012055332214716276);
  p = GL_FMA(p, z, -0.0008548327010033328);
  p = GL_FMA(p, z, 0.005223977625303518);
  p = GL_FMA(p, z, -0.026866170645123838);
  p = GL_FMA(p, z, 0.11283791670955111);
  p = GL_FMA(p, z, -0.37612638903183754);
  return p;
}

/* (erf(x)/x - 2/sqrt(pi)) / x**2 for z = x**2 <= 1 */
GL_FN float gl_erf_tail_float32(float z) {
  float p = GL_FMAF(-1.0216748e-05f, z, 0.00011451737f);
  p = GL_FMAF(p, z, -0.0008508545f);
  p = GL_FMAF(p, z, 0.005222611f);
  p = GL_FMAF(p, z, -0.026865946f);
  p = GL_FMAF(p, z, 0.1128379f);
  p = GL_FMAF(p, z, -0.37612638f);
  return p;
}

/* e**x**2 erfc(x) (x + 1/2) = 0.62... + t Q(t) for x >= 1/4, t = 6.5/(x + 3) - 1: returns t Q(t) */
GL_FN double gl_erfc_tail_float64(double t) {
  double q = GL_FMA(-2.0939679345800548e-10, t, -6.754190253215435e-11);
  q = GL_FMA(q, t, 2.3727402694187278e-09);
  q = GL_FMA(q, t, -2.8147936712395763e-11);
  q = GL_FMA(q, t, -1.5759026998164424e-08);
  q = GL_FMA(q, t, 6.751614852402223e-09);
  q = GL_FMA(q, t, 8.86735247553237e-08);
  q = GL_FMA(q, t, -7.46041924415592e-08);
  q = GL_FMA(q, t, -5.084342383755764e-07);
  q = GL_FMA(q, t, 5.431830405248051e-07);
  q = GL_FMA(q, t, 3.3019179094182566e-06);
  q = GL_FMA(q, t, -2.834982243872858e-06);
  q = GL_FMA(q, t, -2.496613256162275e-05);
  q = GL_FMA(q, t, 2.9414121675805828e-09);
  q = GL_FMA(q, t, 0.00019949647445583594);
  q = GL_FMA(q, t, 0.00035058675344258047);
  q = GL_FMA(q, t, -0.001005384261831304);
  q = GL_FMA(q, t, -0.0068438618284771);
  q = GL_FMA(q, t, -0.01933325222643144);
  q = GL_FMA(q, t, -0.03451032725410144);
  q = GL_FMA(q, t, -0.03805786099664997);
  q = GL_FMA(q, t, -0.009193916127380694);
  q = GL_FMA(q, t, 0.06500426220675186);
  return q * t;
}

/* e**x**2 erfc(x) (x + 1/2) = 0.62... + t Q(t) for x >= 1/4, t = 6.5/(x + 3) - 1: returns t Q(t) */
GL_FN float gl_erfc_tail_float32(float t) {
  float q = GL_FMAF(-1.7315704e-05f, t, -6.005573e-06f);
  q = GL_FMAF(q, t, 0.00019161777f);
  q = GL_FMAF(q, t, 0.0003565284f);
  q = GL_FMAF(q, t, -0.0010014643f);
  q = GL_FMAF(q, t, -0.0068467557f);
  q = GL_FMAF(q, t, -0.019334152f);
  q = GL_FMAF(q, t, -0.03450967f);
  q = GL_FMAF(q, t, -0.038057785f);
  q = GL_FMAF(q, t, -0.009193972f);
  q = GL_FMAF(q, t, 0.06500426f);
  return q * t;
}

/* erf x for |x| <= 1 */
#define GL_NARROW_ERF(T, D, F) \
  GL_FN T gl_narrow_erf_##D(T x) { \
    const T z = x * x; \
    return x + x * ((T)0x1.06eba8214db69p-3 + z * gl_erf_tail_##D(z)); \
  }
GL_FLOAT(GL_NARROW_ERF)

/* e**-(square + low) w, w = e**y**2 erfc y for y = x + x_low >= 1/4; what rounding loses in w joins low */
#define GL_ERFC_PRODUCT(T, D, F) \
  GL_FN T gl_erfc_product_##D(T x, T x_low, T square, T low) { \
    const T first = (T)0.6211746224355772; \
    const T tail = gl_erfc_tail_##D((T)6.5 / (x + 3) - 1); \
    const T p = first + tail, u = x + (T)0.5; \
    const T w = p / u; \
    const T p_lost = (first - p) + tail, u_lost = x - (u - (T)0.5) + x_low; \
    const T lost = (p - w * u) - gl_product_lost_##D(w, u, w * u) + p_lost - w * u_lost; \
    T k; \
    const T e = gl_exp_parts_##D(-square, low - (T)1.65 * lost, &k); /* 1 / p is about 1.65 */ \
    return gl_scaled_##D(w + w * e, k); \
  }
GL_FLOAT(GL_ERFC_PRODUCT)

/* log2(erfc(1 + t) / erfc 1) for 0 <= t <= 5, as close as 1 - erfc needs it */
GL_FN double gl_erf_exponent_float64(double t) {
  double p = GL_FMA(1.5112166478435807e-12, t, -4.1867200265388504e-11);
  p = GL_FMA(p, t, 5.345210197508408e-10);
  p = GL_FMA(p, t, -4.153391728096969e-09);
  p = GL_FMA(p, t, 2.160739080797741e-08);
  p = GL_FMA(p, t, -7.537069598507069e-08);
  p = GL_FMA(p, t, 1.4140621243060115e-07);
  p = GL_FMA(p, t, 2.0498137344983337e-07);
  p = GL_FMA(p, t, -2.9701709167156318e-06);
  p = GL_FMA(p, t, 1.3861332913199126e-05);
  p = GL_FMA(p, t, -3.918134047920869e-05);
  p = GL_FMA(p, t, 3.79104530113537e-05);
  p = GL_FMA(p, t, 0.00034238415655595103);
  p = GL_FMA(p, t, -0.0028535102754298574);
  p = GL_FMA(p, t, 0.014475750117352132);
  p = GL_FMA(p, t, -0.05995999003973409);
  p = GL_FMA(p, t, -1.2163466576861086);
  p = GL_FMA(p, t, -3.8072253458536056);
  return t * p;
}

/* log2(erfc(1 + t) / erfc 1) for 0 <= t <= 3, as close as 1 - erfc needs it */
GL_FN float gl_erf_exponent_float32(float t) {
  float p = GL_FMAF(-3.1294832e-05f, t, 0.00041775225f);
  p = GL_FMAF(p, t, -0.0029027872f);
  p = GL_FMAF(p, t, 0.014494128f);
  p = GL_FMAF(p, t, -0.059963524f);
  p = GL_FMAF(p, t, -1.2163464f);
  p = GL_FMAF(p, t, -3.8072255f);
  return t * p;
}

/* erf x for 1 <= x <= 6: 1 - erfc 1 2**k 2**r; the low bits of k + 1.5 * 2**52 are k's */
GL_FN double gl_wide_erf_float64(double x) {
  const double y = gl_erf_exponent_float64(x - 1), shifted = y + 0x1.8p52;
  const double scale = gl_from_bits_float64((gl_bits_float64(shifted) + 1023) << 52);
  return GL_FMA(scale * -0.15729920705028513, gl_exp2_near_float64(y - (shifted - 0x1.8p52)), 1.0);
}

/* erf x for 1 <= x <= 4, as the float64 one */
GL_FN float gl_wide_erf_float32(float x) {
  const float y = gl_erf_exponent_float32(x - 1), shifted = y + 0x1.8p23f;
  const float scale = gl_from_bits_float32((gl_bits_float32(shifted) + 127) << 23);
  return GL_FMAF(scale * -0.1572992f, gl_exp2_near_float32(y - (shifted - 0x1.8p23f)), 1.0f);
}

/* erf x, which is 1 beyond the ends */
#define GL_ERF(T, D, F) \
  GL_FN T gl_erf_##D(T x) { \
    const T end = sizeof(T) == 4 ? 4 : 6; \
    const T far = gl_wide_erf_##D(fabs##F(x) < end ? fabs##F(x) : end); \
    return fabs##F(x) < 1 ? gl_narrow_erf_##D(x) : x != x ? x : copysign##F(far, x); \
  }
GL_FLOAT(GL_ERF)

/* erfc x */
#define GL_ERFC(T, D, F) \
  GL_FN T gl_erfc_##D(T x) { \
    const T end = sizeof(T) == 4 ? 11 : 28; \
    const T size = fabs##F(x) < end ? fabs##F(x) : end; \
    const T high = gl_high_##D(size); \
    const T far = gl_erfc_product_##D(size, 0, high * high, (size - high) * (size + high)); \
    const T y = x < 0 ? 2 - far : far; \
    return size < (T)0.25 ? 1 - gl_narrow_erf_##D(x) : x != x ? x : y; \
  }
GL_FLOAT(GL_ERFC)

/* the normal distribution: erfc(-v) / 2 for v = x / sqrt(2) */
#define GL_NDTR(T, D, F) \
  GL_FN T gl_ndtr_##D(T x) { \
    const T end = sizeof(T) == 4 ? 15 : 39, root = (T)0x1.6a09e667f3bcdp-1; \
    const T root_low = (T)(0x1.6a09e667f3bcdp-1 - (double)root - 0x1.bdd3413b26456p-55); \
    const T size = fabs##F(x) < end ? fabs##F(x) : end; \
    const T high = gl_high_##D(size), v = size * root; \
    const T v_low = gl_product_lost_##D(size, root, v) + size * root_low; \
    const T low = (T)0.5 * (size - high) * (size + high); \
    const T far = (T)0.5 * gl_erfc_product_##D(v, v_low, (T)0.5 * high * high, low); \
    const T y = x > 0 ? 1 - far : far; \
    return size < (T)0.355 ? (T)0.5 + (T)0.5 * gl_narrow_erf_##D(x * root) : x != x ? x : y; \
  }
GL_FLOAT(GL_NDTR)

#endif
