"""Derivatives of graphs, which are graphs: reverse and forward mode, whole Jacobians, and their check."""

from graphlab.autodiff.forward import Rop, jvp
from graphlab.autodiff.jacobians import hessian, hessian_vector_product, jacobian
from graphlab.autodiff.reverse import Lop, grad, pulled, vjp
from graphlab.autodiff.undefined import grad_not_implemented, grad_undefined
from graphlab.autodiff.verify import verify_grad

__all__ = [
    "Lop", "Rop", "grad", "grad_not_implemented", "grad_undefined", "hessian", "hessian_vector_product", "jacobian",
    "jvp", "pulled", "verify_grad", "vjp",
]  # fmt: skip
