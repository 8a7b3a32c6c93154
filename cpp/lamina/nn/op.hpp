// Op: one primitive step of a network, and Graph: the flat list of them that layers describe.
// An op holds value numbers and parameter offsets, never pointers; a run hands it the memory.
#pragma once

#include <memory>

#include "lamina/base/parallel.hpp"
#include "lamina/functions/schedule.hpp"
#include "lamina/nn/parameters.hpp"
#include "lamina/nn/product.hpp"
#include "lamina/nn/sparse_rows.hpp"

namespace lamina {

enum class DataType { float32, float64 };

// A (B, width) matrix in the list: an output of an op or an input port. Its rows may have a shape
// of several axes (Graph::shapes); to ops they are flat.
struct Value {
  int id = -1;
  Index width = 0;
  bool codes = false;   // an integer input, which only Embedding and OneHot can read
  bool sparse = false;  // an input of few numbers, which only Dense can read
};

using Values = std::vector<Value>;

// Where a run finds one matrix: row r of the batch is at data + (r - first_row) * width.
template <class T>
struct Rows {
  T* data = nullptr;
  Index first_row = 0;
  Index width = 0;
  T* row(Index r) const { return data + (r - first_row) * width; }
};

// The same for integer codes, a column after the other.
struct Codes {
  std::int32_t* data = nullptr;
  Index first_row = 0, column_stride = 0;
  // Column j from row r of the batch on.
  std::int32_t* column(Index j, Index r) const { return data + j * column_stride + r - first_row; }
};

// What an op sees while it works on some rows of a batch.
template <class T>
struct Context {
  const T* parameters = nullptr;
  T* statistics = nullptr;                // writable parameters: for finish() alone
  const Rows<T>* values = nullptr;        // by value id
  const Rows<double>* wide = nullptr;     // by value id: what preprocessing reads; data null: in T
  const Rows<T>* gradients = nullptr;     // by value id; data null where no gradient is wanted
  std::byte* const* state = nullptr;      // by op index: the op's own memory for this batch
  const Codes* codes = nullptr;           // by value id: integer input ports
  const SparseRows<T>* sparse = nullptr;  // by value id: sparse input ports
  ProductScratch<T>* scratch = nullptr;
  Index rows = 0;         // real rows in the batch
  Index padded_rows = 0;  // rounded up to kRowStep; what the padding holds matters to nobody
  const double* row_share = nullptr;  // of the loss, by batch row; null: all alike
  bool training = false;
  std::uint64_t seed = 0, step = 0;
  const double* scheduled = nullptr;  // by op index: what OpBase::scheduled() says for this step
};

struct OpFlags {
  bool row_local = true;      // false: needs the whole batch once forward and once backward
  bool needs_inputs = false;  // for backward or parameter gradients
  bool needs_output = false;
  bool keeps_gradient = false;  // parameter_gradient reads what keep_gradient has kept
  bool in_place = false;        // output may overwrite the input
  bool identity = false;        // and then leaves it as it is
  bool training_only = false;   // the identity in inference: the plan leaves it out
  bool view = false;            // only gives rows another shape: the plan always leaves it out
  bool flattens = false;        // the output is flat even if it is as wide as the input
  bool reads_wide = false;      // preprocessing: reads an input port, or its like, in double
  bool takes_missing = false;   // NaN in its input are missing values
  bool adapts = false;          // learn() must see data before anything else runs
};

class OpBase {
 public:
  virtual ~OpBase() = default;
  OpFlags flags;
  std::string kind, layer;
  Values inputs;
  Value output;
  std::vector<int> tensors;  // parameters that this op computes gradients for
  int index = 0;             // place in the list
  bool frozen = false;       // batch-coupled ops alone: trains as in inference
  bool waits = false;        // to see data before it trains (nn/adapt.hpp)

  // A parameter that changes with the step; its value in a training step is Context::scheduled.
  virtual const Scheduled* scheduled() const { return nullptr; }
  // A copy, of the type that it was made as.
  std::unique_ptr<OpBase> clone() const { return clone_(*this); }
  // Multiply-adds of the forward pass counted as two, a row.
  virtual Index flops_per_row() const { return 0; }
  virtual std::size_t state_bytes(Index batch_rows) const {
    (void)batch_rows;
    return 0;
  }

 private:
  friend class Builder;
  std::unique_ptr<OpBase> (*clone_)(const OpBase&) = nullptr;
};

class Columns;

template <class T>
class Op : public OpBase {
 public:
  using Ctx = Context<T>;
  virtual void forward(const Ctx& c, Range rows) const = 0;
  // Few rows may be shared by columns instead, where that is worth a parallel region.
  virtual bool shares_columns(Index rows) const {
    (void)rows;
    return false;
  }
  virtual void forward_share(const Ctx&, ProductScratch<T>&, Range rows, int share,
                             int shares) const {
    (void)rows, (void)share, (void)shares;
  }
  // Writes (or, where `add`, adds to) the gradient of each input that has memory.
  virtual void backward(const Ctx& c, Range rows, const std::vector<bool>& add) const = 0;
  // Keeps in the op's state what parameter_gradient needs of the output's gradient.
  virtual void keep_gradient(const Ctx&, Range) const {}
  // The gradient of rows [tile.begin, tile.end) of a tensor over the whole batch, into out.
  virtual void parameter_gradient(const Ctx&, int tensor, Range tile, T* out) const {
    (void)tensor, (void)tile, (void)out;
  }

  // Batch-coupled ops alone: sums over chunks of kRowStep rows in parallel, then one finish().
  virtual void forward_sums(const Ctx&, Range) const {}
  virtual void forward_finish(const Ctx&) const {}
  virtual void backward_sums(const Ctx&, Range) const {}
  virtual void backward_finish(const Ctx&) const {}
  // What the op adds to the loss of the last forward pass, its rows weighted.
  virtual double penalty_sum(const Ctx&, const double* weights) const {
    (void)weights;
    return 0;
  }
  // In inference y = scale x + shift, column by column: then it writes both and says true, and
  // predictions can go without the op (nn/fold.hpp).
  virtual bool affine(const T* parameters, double* scale, double* shift) const {
    (void)parameters, (void)scale, (void)shift;
    return false;
  }
  // After a completed step: running statistics move.
  virtual void update_statistics(const Ctx&) const {}
  // Ops that adapt: writes into the parameters what the op must know of the data that reach it.
  virtual void learn(const Columns&, T* parameters) const { (void)parameters; }

 protected:
  T* in(const Ctx& c, Index r, int i = 0) const {
    return c.values[inputs[static_cast<std::size_t>(i)].id].row(r);
  }
  T* out(const Ctx& c, Index r) const { return c.values[output.id].row(r); }
  T* d_out(const Ctx& c, Index r) const { return c.gradients[output.id].row(r); }
  T* d_in(const Ctx& c, Index r, int i = 0) const {
    const auto& rows = c.gradients[inputs[static_cast<std::size_t>(i)].id];
    return rows.data ? rows.row(r) : nullptr;
  }
};

// An input of the model.
struct Port {
  Value value;
  std::string name;
  std::vector<Index> shape;
  bool codes = false;                     // int32 category codes instead of numbers
  std::vector<Index> cardinalities = {};  // by column: codes are 0 ... cardinality - 1, 0 unseen
  bool sparse = false;                    // rows hold few numbers that are not 0
  bool dense() const { return !codes && !sparse; }
  const char* kind() const { return codes ? "codes" : sparse ? "sparse" : "numeric"; }
};

// A layer as it was built: what it read and gave, and its ops and tensors, those of the layers
// inside it among them.
struct LayerRecord {
  std::string name, class_name;
  int depth = 0;  // 0: of the model itself
  Values inputs, outputs;
  Range ops, tensors;
};

struct Graph {
  DataType dtype = DataType::float32;
  std::vector<std::unique_ptr<OpBase>> ops;
  std::vector<Port> ports;
  ParameterTable parameters;
  std::vector<LayerRecord> layers;         // a container before what is in it
  std::vector<std::vector<Index>> shapes;  // of a row, by value id
  Values outputs;
  std::vector<std::string> output_names;  // of the layers that make them

  int value_count() const { return static_cast<int>(shapes.size()); }
  Value new_value(std::vector<Index> shape);
  const std::vector<Index>& shape(Value x) const { return shapes[static_cast<std::size_t>(x.id)]; }
  const LayerRecord& layer(const std::string& name) const;  // refuses an unknown name
};

// May a numeric port hold NaN? If everything that reads it takes them for missing values.
bool takes_missing(const Graph& graph, const Port& port);

// What a layer writes its description with.
class Builder {
 public:
  explicit Builder(Graph& graph) : graph_(graph) {}

  Value input(Port port);
  bool narrow() const { return graph_.dtype == DataType::float32; }
  int tensor(Tensor tensor);
  void require_room(Index numbers) const { graph_.parameters.require_room(owner.layer, numbers); }
  // The numbers of codes, by column, if x is an integer input port, else nothing.
  std::vector<Index> cardinalities(Value x) const;
  const Tensor& tensor_at(int i) const {
    return graph_.parameters.tensors[static_cast<std::size_t>(i)];
  }

  const std::vector<Index>& shape(Value x) const { return graph_.shape(x); }
  // The same numbers in rows of another shape.
  Value reshaped(Value x, std::vector<Index> shape);

  // Appends OpType<float> or OpType<double>, made from `arguments`.
  template <template <class> class OpType, class... Arguments>
  Value op(Values inputs, Index width, const Arguments&... arguments) {
    std::unique_ptr<OpBase> made = graph_.dtype == DataType::float32
                                       ? make<OpType<float>>(arguments...)
                                       : make<OpType<double>>(arguments...);
    made->inputs = std::move(inputs);
    const Value x = made->inputs[0];
    made->output = graph_.new_value(
        made->flags.flattens || x.width != width ? std::vector<Index>{width} : shape(x));
    made->layer = owner.layer;
    made->index = static_cast<int>(graph_.ops.size());
    const Value out = made->output;
    graph_.ops.push_back(std::move(made));
    return out;
  }

  // The layer being built: its name, and what multiplies the learning rate and the weight decay of
  // its tensors.
  struct Owner {
    std::string layer;
    double rate_multiplier = 1, decay_multiplier = 1;
  };
  Owner owner;
  // What the Inputs of a model within the model stand for, in order; null: they are ports.
  struct Given {
    Values values;
    std::size_t taken = 0;
  };
  Given* given = nullptr;
  int depth = 0;  // of layers within layers

  // Notes a layer, and what it gives once it is built.
  std::size_t begin_layer(const std::string& name, const std::string& class_name,
                          const Values& inputs);
  void end_layer(std::size_t record, const Values& outputs);

 private:
  template <class Type, class... Arguments>
  static std::unique_ptr<OpBase> make(const Arguments&... arguments) {
    std::unique_ptr<OpBase> op = std::make_unique<Type>(arguments...);
    op->clone_ = [](const OpBase& other) -> std::unique_ptr<OpBase> {
      return std::make_unique<Type>(static_cast<const Type&>(other));
    };
    return op;
  }

  Graph& graph_;
};

}  // namespace lamina
