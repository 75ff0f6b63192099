// What going through the engine costs over calling MLX: the same operations on 1024x1024 f32 arrays through libtme on the
// backend "mlx", and through MLX's C++ interface, both compiled by MLX, both on arrays that are in memory. They take turns;
// lower deciles count. Usage: mlx_direct [seconds per operation]
#include <mlx/mlx.h>

#include <tme/tme.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <vector>

namespace mx = mlx::core;
using mx::array;
using arrays = std::vector<array>;

namespace {

constexpr int64_t n = 1024;

struct operation {
  const char *name;
  std::function<arrays(const arrays &)> direct;
  tme_array *(*engine)(tme_scope *, tme_array *, tme_array *);
};

array gelu(const array &x) {
  array square = mx::multiply(x, x);
  array u = mx::multiply(x, mx::add(mx::multiply(square, array(0.07135481627159929f)), array(1.5957691216057308f)));
  return mx::divide(x, mx::add(array(1.0f), mx::exp(mx::negative(u))));
}

const operation operations[] = {
    {"add", [](const arrays &in) { return arrays{mx::add(in[0], in[1])}; },
     [](tme_scope *s, tme_array *x, tme_array *y) { return tme_add(s, x, y); }},
    {"matmul", [](const arrays &in) { return arrays{mx::matmul(in[0], in[1])}; },
     [](tme_scope *s, tme_array *x, tme_array *y) { return tme_matmul(s, x, y); }},
    {"gelu", [](const arrays &in) { return arrays{gelu(in[0])}; },
     [](tme_scope *s, tme_array *x, tme_array *) { return tme_gelu(s, x); }},
    {"softmax", [](const arrays &in) { return arrays{mx::softmax(in[0], -1, true)}; },
     [](tme_scope *s, tme_array *x, tme_array *) {
       static const int last = -1;
       return tme_softmax(s, x, &last, 1);
     }},
    {"gelu(x @ y + y)", [](const arrays &in) { return arrays{gelu(mx::add(mx::matmul(in[0], in[1]), in[1]))}; },
     [](tme_scope *s, tme_array *x, tme_array *y) { return tme_gelu(s, tme_add(s, tme_matmul(s, x, y), y)); }},
};

// Of all threads of the process: what other processes do does not count.
double cpu() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) * 1e-6;
}

double now() {
  using clock = std::chrono::steady_clock;
  return std::chrono::duration<double, std::milli>(clock::now().time_since_epoch()).count();
}

// The tenth part that was fastest ends here: what else the machine does is left out.
double lower_decile(std::vector<double> &v) {
  std::nth_element(v.begin(), v.begin() + static_cast<long>(v.size() / 10), v.end());
  return v[v.size() / 10];
}

bool compare(tme_engine *e, const operation &o, double seconds) {
  std::vector<float> x(n * n), y(n * n);
  for (size_t i = 0; i < x.size(); i++) {
    x[i] = static_cast<float>(i % 1021) / 510 - 1;
    y[i] = static_cast<float>(i % 769) / 384 - 1;
  }
  const int64_t shape[] = {n, n};
  tme_scope *s = tme_scope_new(e);
  tme_array *a = tme_from(s, TME_F32, 2, shape, x.data()), *b = tme_from(s, TME_F32, 2, shape, y.data());
  arrays in = {array(x.data(), {n, n}, mx::float32), array(y.data(), {n, n}, mx::float32)};
  auto compiled = mx::compile(o.direct);
  std::vector<double> direct, engine, direct_cpu, engine_cpu;
  bool good = a && b;
  double end = now() + seconds * 1e3;
  for (int turn = 0; good && (turn < 10 || now() < end); turn++) {
    double t = now(), used = cpu();
    arrays out = compiled(in);
    mx::eval(out);
    direct.push_back(now() - t);
    direct_cpu.push_back(cpu() - used);
    out.clear();
    t = now();
    used = cpu();
    tme_scope *own = tme_scope_new(e);
    tme_array *r = o.engine(own, a, b);
    good = r && tme_eval(own, r) == TME_OK;
    engine.push_back(now() - t);
    engine_cpu.push_back(cpu() - used);
    if (!good) std::fprintf(stderr, "%s: %s\n", o.name, tme_error(own));
    tme_scope_free(own);
  }
  if (good) {
    double d = lower_decile(direct), m = lower_decile(engine);
    double dc = lower_decile(direct_cpu), mc = lower_decile(engine_cpu);
    std::printf("%-16s %10.3f %10.3f %8.1f %% %12.3f %10.3f %8.1f %%\n", o.name, d, m, 100 * (m / d - 1), dc, mc,
                100 * (mc / dc - 1));
  }
  tme_scope_free(s);
  return good;
}

} // namespace

int main(int argc, char **argv) {
  tme_options o;
  char why[600];
  tme_options_init(&o);
  o.backend = "mlx";
  o.precision = "float32";
  tme_engine *e = tme_engine_open(&o, why, sizeof why);
  if (!e) {
    std::fprintf(stderr, "%s\n", why);
    return 1;
  }
  std::printf("ms, %lldx%lld f32\n%-16s %10s %10s %10s %12s %10s %10s\n", static_cast<long long>(n),
              static_cast<long long>(n), "operation", "MLX", "engine", "overhead", "MLX, CPU", "engine", "overhead");
  bool good = true;
  for (const operation &op : operations) good = compare(e, op, argc > 1 ? std::atof(argv[1]) : 4) && good;
  tme_engine_free(e);
  return good ? 0 : 1;
}
