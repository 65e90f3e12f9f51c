"""Operations that hold graphs: choices, loops and symbolic functions."""
