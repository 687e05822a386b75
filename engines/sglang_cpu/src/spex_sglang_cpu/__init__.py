"""An unmodified SGLang 0.5.23 on a CPU: it starts, and equal seeded requests give equal texts there.

`python -m spex_sglang_cpu.launch FLAGS` instead of `python -m sglang.launch_server FLAGS`; with
`--enable-deterministic-inference --attention-backend torch_native`, bfloat16 and OMP_NUM_THREADS=1, tokens and
log-probabilities of a request with a `sampling_seed` are the same bits alone and beside others, its prompt cached or
not, written in one go or in two.

SGLang itself refuses that flag on a CPU, for want of four things, each of which is a module here: matrix products
whose rows do not depend on how many there are (`products`), attention that does not depend on whether a token was
prefilled or decoded (`attention`), the noise of a seed (`noise`), and samples of mixed batches (`sampling`). `plugin`
puts them in their places, by SGLang's own hooks, and only where the flag asks for them.
"""
