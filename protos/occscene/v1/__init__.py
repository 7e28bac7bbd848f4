"""The generated modules of the contract `occscene.v1`; see the `.proto` files beside them."""
