/* The table of a level, from the templates that the file has included. */
static void fill_table(cpu_kernels *k, base_isa isa) {
    *k = (cpu_kernels){.isa = isa,
                       .rms_norm = rms_norm,
                       .layer_norm = layer_norm,
                       .rope = rope,
                       .gated_activation = gated_activation,
                       .activation = activation,
                       .add = add,
                       .scale = scale,
                       .softcap = softcap,
                       .kv_write = kv_write,
                       .attention = attention};
}
