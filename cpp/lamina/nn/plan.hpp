// Plan: how a graph is executed for one purpose. Which ops run in which stage, where every matrix
// lies, which tiles the parameters are cut into. A plan is read-only; memory is in a Workspace.
#pragma once

#include "lamina/nn/op.hpp"

namespace lamina {

enum class ActionKind {
  gather,
  forward,
  forward_sums,
  loss,
  keep_gradient,
  backward,
  backward_sums
};

struct Action {
  ActionKind kind;
  int op = -1;
};

// What the calling thread does alone when all rows have passed a stage.
enum class Finish { nothing, forward, backward, loss };

struct Stage {
  std::vector<Action> actions;
  Finish finish = Finish::nothing;
  int op = -1;
};

// A matrix in memory. `batch`: all rows of the batch, kept until the step ends. Otherwise it lives
// only while a thread passes a row block through one stage, and shares its place with others.
struct Store {
  Index width = 0;
  bool batch = false;
  Index offset = 0;  // columns of the stores before it
};

// Rows [rows.begin, rows.end) of a kernel, or elements of a vector, whose gradient is one task.
struct Tile {
  int op = 0, tensor = 0;
  Range rows;
  Index offset = 0, size = 0;  // elements in the flat buffer
  double cost = 0;
};

struct PlanOptions {
  bool backward = false;            // keep what backward and the parameters phase need
  bool input_gradients = false;     // down to the numeric ports
  bool training = false;            // as in a step: batch statistics, dropout
  bool noise = true;                // false: without what only training does, such as dropout
  std::vector<bool> fuse = {};      // by output: the loss takes the output activation's input
  std::vector<bool> idle = {};      // by output: no gradient comes from it
  bool loss_is_stage = false;       // the loss runs outside the rows phase (Python)
  bool loss = false;                // there is a loss action between forward and backward
  bool keep_output = false;         // the outputs are read after the stages
  bool parameter_gradients = true;  // where there is a backward pass
  Values outputs = {};              // instead of the graph's: what lies behind them does not run
  bool wide_outputs = false;        // they are read in double where preprocessing makes them so
  Index tile_elements = 0;          // most numbers of a tile; 0: what suits the cache
  Index batch_rows = 0;             // of the batches to come, which that depends on
};

class Plan {
 public:
  Plan(const Graph& graph, const PlanOptions& options);

  const Graph& graph;
  const PlanOptions options;
  std::vector<Stage> stages;
  std::vector<std::vector<bool>> add;            // by op and input: does backward add?
  std::vector<int> value_store, gradient_store;  // by value id; -1: none
  std::vector<Store> stores;
  Index batch_width = 0, block_width = 0;  // columns of all batch stores, of the block stores
  std::vector<Store> wide_stores;  // by value id: what is kept in double, of a block; width 0: none
  Index wide_width = 0;
  std::vector<Tile> tiles;
  Values outputs;  // where a loss reads: the output, or the fused activation's input
  Index flops_per_row = 0;
  // Places of the ops that run, in order: what no output depends on does not.
  const std::vector<int>& running() const { return run_; }

 private:
  class Memory;
  void choose_ops();
  void choose_gradients();
  void choose_width();
  void write_stages();
  void assign_memory();  // plan_memory.cpp
  void cut_tiles();

  const OpBase& op(int i) const { return *graph.ops[static_cast<std::size_t>(i)]; }
  int resolve(int value) const { return alias_[static_cast<std::size_t>(value)]; }
  bool trainable(const OpBase& op) const;

  std::vector<int> run_;              // ops that run, in order
  std::vector<int> alias_;            // value id -> the value it equals (ops left out)
  std::vector<bool> wants_gradient_;  // by value id
  std::vector<bool> narrow_;          // by value id: somebody reads it in the model's dtype
};

// The place of the op that computes the activation of an output, if a loss can take its input
// instead; -1: none. `behind_penalty`: also one whose output a penalty still reads.
int output_activation(const Graph& graph, std::size_t output, bool behind_penalty = false);

}  // namespace lamina
